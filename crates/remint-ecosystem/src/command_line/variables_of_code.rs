//! Environment variables whose values are code, or say where programs and interpreters find some. Their names say
//! enough; their values are not looked at.

/// In upper case.
const KNOWN: &[&str] = &[
    "BASH_ENV",
    "DYLD_FRAMEWORK_PATH",
    "DYLD_INSERT_LIBRARIES",
    "DYLD_LIBRARY_PATH",
    "ENV",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GOTOOLCHAIN",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NPM_CONFIG_NODE_OPTIONS",
    "NPM_CONFIG_SCRIPT_SHELL",
    "NPM_CONFIG_SHELL",
    "PATH",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "UV_ENV_FILE",
    "UV_PYTHON",
];

/// Whether a variable is one of them.
pub(crate) fn names_code(variable: &str) -> bool {
    among(&[variable]).is_some()
}

/// The first of these variables that is one of them.
pub(super) fn among(variables: &[&str]) -> Option<&'static str> {
    variables.iter().find_map(|variable| {
        let name = variable.trim().to_ascii_uppercase().replace('-', "_");
        KNOWN.iter().find(|known| **known == name).copied()
    })
}
