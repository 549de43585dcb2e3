//! The settings file: its values take the place of the defaults of the command line.

use std::path::Path;

use clap::{Command, error::ErrorKind};
use toml::{Table, Value};

/// The command line with the file's values as its defaults.
pub(super) fn with_defaults(mut command: Command, path: &Path) -> Result<Command, clap::Error> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return Err(refuse(&mut command, path, &format!("cannot be read: {error}"))),
    };
    let table: Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return Err(refuse(&mut command, path, &format!("is not TOML: {error}"))),
    };
    for (key, value) in table {
        let arg = command
            .get_arguments()
            .find(|arg| key != "config" && arg.get_long() == Some(key.as_str()));
        let Some(id) = arg.map(|arg| arg.get_id().clone()) else {
            let message =
                format!("has a setting {key:?} that does not exist; see beckon-server --help for their names");
            return Err(refuse(&mut command, path, &message));
        };
        let Some(values) = texts(&value) else {
            let message = format!("gives {key:?} a value that is no text, number, true, false or list of these");
            return Err(refuse(&mut command, path, &message));
        };
        command = command.mut_arg(id, |arg| arg.default_values(values));
    }
    Ok(command)
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        one => text(one).map(|one| vec![one]),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn refuse(command: &mut Command, path: &Path, what: &str) -> clap::Error {
    command.error(
        ErrorKind::ValueValidation,
        format!("the settings file {} {what}", path.display()),
    )
}
