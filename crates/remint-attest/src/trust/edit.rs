//! Changing a policy file without losing what a person wrote in it.

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

use super::policy::FORMAT;
use super::scope::Scope;
use crate::key::{LogKey, PublicKey};

/// A policy that trusts nobody, with what it can say as comments.
#[must_use]
pub fn empty() -> String {
    format!(
        "# Whom `remint` believes. `remint trust add` adds somebody; docs/trust.md describes every key.\n\
         format = \"{FORMAT}\"\n\
         \n\
         # How many independent operators must have found the same.\n\
         threshold = 1\n\
         \n\
         # Erasures under which `equivalent` is as good as `identical`, such as \"gzip-encoding@1\".\n\
         accepted_erasures = []\n\
         \n\
         # The weakest isolation that a rebuild may have had: \"landlock\" or \"namespaces\".\n\
         minimum_isolation = \"landlock\"\n"
    )
}

/// Somebody to add.
#[derive(Debug, Clone)]
pub struct NewRebuilder {
    /// As people call them.
    pub name: String,
    /// Whose machines these are, where that is another name.
    pub operator: Option<String>,
    /// How they sign.
    pub signer: NewSigner,
    /// For which packages their word counts; at least one.
    pub scope: Vec<Scope>,
}

/// How somebody to add signs.
#[derive(Debug, Clone)]
pub enum NewSigner {
    /// With a key, and the log of that key.
    Key(PublicKey, Box<LogKey>),
    /// With certificates.
    Identity {
        /// The subject alternative name.
        identity: String,
        /// The issuer.
        issuer: String,
    },
}

/// Why nobody was added.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The policy is no TOML.
    #[error("{0}")]
    Toml(String),
    /// `rebuilder` is something else than a list of tables.
    #[error("`rebuilder` is no list of tables (`[[rebuilder]]`)")]
    Shape,
}

/// Adds somebody to the end of the policy. Whether the result is a policy is for [`super::Policy::parse`] to say.
///
/// # Errors
/// The text is no TOML, or has something else in that place.
pub fn add(text: &str, new: &NewRebuilder) -> Result<String, EditError> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| EditError::Toml(error.to_string()))?;
    let mut table = Table::new();
    table.insert("name", value(&new.name));
    if let Some(operator) = &new.operator {
        table.insert("operator", value(operator));
    }
    match &new.signer {
        NewSigner::Key(key, log) => {
            table.insert("key", multiline(&key.to_pem()));
            table.insert("log_key", value(log.to_string()));
        }
        NewSigner::Identity { identity, issuer } => {
            table.insert("identity", value(identity));
            table.insert("issuer", value(issuer));
        }
    }
    let scope: Array = new.scope.iter().map(ToString::to_string).collect();
    table.insert("scope", value(scope));
    table.decor_mut().set_prefix("\n");
    document
        .entry("rebuilder")
        .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()))
        .as_array_of_tables_mut()
        .ok_or(EditError::Shape)?
        .push(table);
    Ok(document.to_string())
}

/// PEM as a multi-line string, so that a person can compare it with the file.
fn multiline(pem: &str) -> Item {
    format!("\"\"\"\n{pem}\"\"\"")
        .parse::<toml_edit::Value>()
        .map_or_else(|_| value(pem), Item::Value)
}

#[cfg(test)]
mod tests {
    use super::super::Policy;
    use super::*;
    use crate::key::SigningKey;
    use crate::{Instance, TrustRoot};

    #[test]
    fn what_is_added_is_read_back_and_comments_stay() {
        let root = || TrustRoot::embedded(Instance::PublicGood);
        let key = SigningKey::generate().unwrap();
        let text = format!("{}# mine\n", empty());
        let added = add(
            &text,
            &NewRebuilder {
                name: "alice \"a\"".to_owned(),
                operator: Some("Example".to_owned()),
                signer: NewSigner::Key(key.public().clone(), Box::new(key.log().clone())),
                scope: vec!["pkg:npm/*".parse().unwrap()],
            },
        )
        .unwrap();
        let added = add(
            &added,
            &NewRebuilder {
                name: "ci".to_owned(),
                operator: None,
                signer: NewSigner::Identity {
                    identity: "https://example.org/ci".to_owned(),
                    issuer: "https://issuer.example".to_owned(),
                },
                scope: vec!["pkg:*".parse().unwrap()],
            },
        )
        .unwrap();
        let policy = Policy::parse(&added, &root).unwrap();
        assert_eq!(policy.rebuilders.len(), 2);
        assert_eq!(policy.rebuilders[0].name, "alice \"a\"");
        assert_eq!(policy.rebuilders[1].operator, "ci");
        assert!(added.contains("# How many independent"));
        assert!(added.contains("# mine"));
    }

    #[test]
    fn the_empty_policy_trusts_nobody() {
        let root = || TrustRoot::embedded(Instance::PublicGood);
        assert!(
            Policy::parse(&empty(), &root)
                .unwrap()
                .rebuilders
                .is_empty()
        );
    }
}
