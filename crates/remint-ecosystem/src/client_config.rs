//! Configurations of MCP clients, read as the servers that they start: Claude Desktop, Claude Code, Cursor, Windsurf,
//! VS Code, Zed, and what is shaped like them.
//!
//! Values of environment variables, headers and addresses are secrets: they are stepped over, not copied. Every entry
//! becomes a server; what cannot be understood is one that cannot be judged, for its reason.

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use crate::command_line::{self, Beyond, Part};

/// Larger files are no configurations. Some clients keep their history in the same file.
pub const LARGEST: usize = 32 << 20;
/// Nobody runs more servers than this.
const MOST_SERVERS: usize = 256;
/// The longest name of a server that is shown whole.
const LONGEST_NAME: usize = 80;

/// One server of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name there, fit to be shown.
    pub name: String,
    /// What it starts; at least one part.
    pub parts: Vec<Part>,
}

/// Why a file is no configuration with servers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Beyond [`LARGEST`].
    #[error("it has more than {} MiB, which no client's configuration has", LARGEST >> 20)]
    TooLarge,
    /// Not UTF-8.
    #[error("it is not UTF-8 text, which JSON has to be")]
    NotText,
    /// Not JSON, not even with comments and trailing commas.
    #[error("it is not valid JSON at line {line}, column {column}: {problem}")]
    Syntax {
        /// From one.
        line: usize,
        /// From one.
        column: usize,
        /// In words, without the text that is there.
        problem: String,
    },
    /// A list, a text, nothing.
    #[error("it holds no JSON object, which every client's configuration is")]
    NotAnObject,
    /// A list of servers that is no object of entries.
    #[error("`{0}` is no object of servers by name")]
    NotServers(&'static str),
    /// None of the keys that clients use, or nothing under them.
    #[error(
        "it names no MCP server: expected entries under `mcpServers` (Claude, Cursor, Windsurf), `servers` (VS Code) \
         or `context_servers` (Zed)"
    )]
    NoServers,
    /// More entries than anybody has.
    #[error("it names more than {MOST_SERVERS} servers")]
    TooMany,
}

/// The servers of a configuration, in its order. At least one.
///
/// # Errors
/// The file is no configuration, or names no server.
pub fn servers(content: &[u8]) -> Result<Vec<Server>, ConfigError> {
    if content.len() > LARGEST {
        return Err(ConfigError::TooLarge);
    }
    let text = str::from_utf8(content).map_err(|_| ConfigError::NotText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parsed = parse_to_ast(text, &CollectOptions::default(), &OPTIONS).map_err(|error| {
        ConfigError::Syntax {
            line: error.line_display(),
            column: error.column_display(),
            problem: error.kind().to_string().to_lowercase(),
        }
    })?;
    let Some(Value::Object(root)) = parsed.value else {
        return Err(ConfigError::NotAnObject);
    };
    let mut servers = Vec::new();
    add_from(&root, &mut servers)?;
    if servers.is_empty() {
        return Err(ConfigError::NoServers);
    }
    Ok(servers)
}

/// JSON with comments and trailing commas, as VS Code, Cursor and Zed read it; nothing else is let pass.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Every list of servers that the top of the file has. A key that stands there twice counts twice: which of them
/// a client takes is its own affair.
fn add_from(root: &Object<'_>, servers: &mut Vec<Server>) -> Result<(), ConfigError> {
    for property in &root.properties {
        let value = &property.value;
        match property.name.as_str() {
            "mcpServers" => add(value, "mcpServers", servers)?,
            "servers" => add(value, "servers", servers)?,
            "context_servers" => add(value, "context_servers", servers)?,
            // The settings of VS Code, and of extensions that put their name before the key.
            "mcp" => add_nested(value, "servers", servers)?,
            "mcp.servers" => add(value, "servers", servers)?,
            key if key.ends_with(".mcpServers") => add(value, "mcpServers", servers)?,
            // Claude Code, one list for each project.
            "projects" => {
                if let Value::Object(projects) = value {
                    for project in &projects.properties {
                        add_nested(&project.value, "mcpServers", servers)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn add_nested(
    value: &Value<'_>,
    key: &'static str,
    servers: &mut Vec<Server>,
) -> Result<(), ConfigError> {
    if let Value::Object(object) = value {
        for property in &object.properties {
            if property.name.as_str() == key {
                add(&property.value, key, servers)?;
            }
        }
    }
    Ok(())
}

fn add(value: &Value<'_>, key: &'static str, servers: &mut Vec<Server>) -> Result<(), ConfigError> {
    let Value::Object(list) = value else {
        return Err(ConfigError::NotServers(key));
    };
    if servers.len() + list.properties.len() > MOST_SERVERS {
        return Err(ConfigError::TooMany);
    }
    servers.extend(list.properties.iter().map(|property| Server {
        name: shown(property.name.as_str()),
        parts: parts(&property.value).unwrap_or_else(|beyond| vec![Part::Beyond(beyond)]),
    }));
    Ok(())
}

/// A name without what a terminal would act on.
fn shown(name: &str) -> String {
    let mut shown: String = name
        .chars()
        .take(LONGEST_NAME)
        .map(|c| if is_invisible(c) { '\u{fffd}' } else { c })
        .collect();
    if name.chars().nth(LONGEST_NAME).is_some() {
        shown.push('…');
    }
    if shown.trim().is_empty() {
        "(no name)".clone_into(&mut shown);
    }
    shown
}

/// Control characters, and those that reorder or hide text.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What one entry starts, on any platform.
fn parts(entry: &Value<'_>) -> Result<Vec<Part>, Beyond> {
    let Value::Object(entry) = entry else {
        return Err(Beyond::Malformed("it is no object"));
    };
    let mut parts = parts_of(entry, entry)?;
    for platform in PLATFORMS {
        if let Some(Value::Object(own)) = one(entry, platform)? {
            let own = parts_of(own, entry).unwrap_or_else(|beyond| vec![Part::Beyond(beyond)]);
            for part in own {
                if !parts.contains(&part) {
                    parts.push(part);
                }
            }
        }
    }
    Ok(parts)
}

/// Some clients let an entry say other things for one platform; which one will read the file is not known here.
const PLATFORMS: [&str; 5] = ["windows", "linux", "osx", "macos", "darwin"];

/// What an entry starts where `own` says it, and `entry` what `own` leaves out.
fn parts_of(own: &Object<'_>, entry: &Object<'_>) -> Result<Vec<Part>, Beyond> {
    let said = |key| Ok(one(own, key)?.or(one(entry, key)?));
    let mut address = None;
    for key in ["url", "serverUrl", "httpUrl"] {
        address = address.or(said(key)?);
    }
    match (said("command")?, address) {
        (Some(_), Some(_)) => Err(Beyond::Malformed("it has a command and an address")),
        (None, Some(address)) => Err(Beyond::Remote {
            host: host(address),
        }),
        (None, None) if is_extension(entry)? => Err(Beyond::Extension),
        (None, None) => Err(Beyond::NoCommand),
        // Zed's older form: `"command": { "path": …, "args": …, "env": … }`.
        (Some(Value::Object(command)), None) => {
            let path = one(command, "path")?.ok_or(Beyond::NoCommand)?;
            start(&[text(path)?], command, command)
        }
        // The whole line in one list.
        (Some(Value::Array(line)), None) => start(&texts(&line.elements)?, own, entry),
        (Some(command), None) => start(&[text(command)?], own, entry),
    }
}

/// Reads a command with what stands beside it.
fn start(command: &[&str], own: &Object<'_>, entry: &Object<'_>) -> Result<Vec<Part>, Beyond> {
    let arguments = match one(own, "args")?.or(one(entry, "args")?) {
        Some(Value::Array(arguments)) => texts(&arguments.elements)?,
        Some(Value::NullKeyword(_)) | None => Vec::new(),
        Some(_) => return Err(Beyond::Malformed("`args` is no list")),
    };
    let mut words = command.iter().chain(&arguments).copied();
    let program = words.next().ok_or(Beyond::NoCommand)?;
    let arguments: Vec<&str> = words.collect();
    let mut variables = Vec::new();
    for set in [own, entry] {
        for key in ["env", "environment"] {
            match one(set, key)? {
                // The names alone: what stands behind them is nobody's business.
                Some(Value::Object(set)) => {
                    variables.extend(set.properties.iter().map(|variable| variable.name.as_str()));
                }
                Some(Value::NullKeyword(_)) | None => {}
                Some(_) => return Err(Beyond::Malformed("its environment is no object")),
            }
        }
    }
    Ok(command_line::read(program, &arguments, &variables))
}

/// The value of a key; two of one key mean one thing to one client and another thing to the next.
fn one<'o, 'a>(object: &'o Object<'a>, key: &str) -> Result<Option<&'o Value<'a>>, Beyond> {
    let mut found = object
        .properties
        .iter()
        .filter(|property| property.name.as_str() == key)
        .map(|property| &property.value);
    match (found.next(), found.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Beyond::Malformed("a key stands there twice")),
    }
}

fn text<'o>(value: &'o Value<'_>) -> Result<&'o str, Beyond> {
    match value {
        Value::StringLit(text) => Ok(text.value.as_ref()),
        Value::NumberLit(_)
        | Value::BooleanLit(_)
        | Value::Object(_)
        | Value::Array(_)
        | Value::NullKeyword(_) => Err(Beyond::Malformed("a word of its command is no text")),
    }
}

fn texts<'o>(values: &'o [Value<'_>]) -> Result<Vec<&'o str>, Beyond> {
    values.iter().map(text).collect()
}

/// Zed's extensions bring the command along: the entry holds settings only.
fn is_extension(entry: &Object<'_>) -> Result<bool, Beyond> {
    let source = one(entry, "source")?.and_then(|value| value.as_string_lit());
    Ok(match source {
        Some(source) => source.value == "extension",
        None => one(entry, "settings")?.is_some(),
    })
}

/// The host of an address: neither its path nor its query, which often hold keys.
fn host(address: &Value<'_>) -> Option<String> {
    let address = address.as_string_lit()?;
    let parsed = url::Url::parse(&address.value).ok()?;
    matches!(parsed.scheme(), "http" | "https" | "ws" | "wss")
        .then(|| parsed.host_str().map(str::to_owned))?
}

#[cfg(test)]
mod tests;
