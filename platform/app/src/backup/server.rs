//! PostgreSQL's own programs, which copy a database of its.

use std::path::Path;

use tokio::process::Command;
use url::Url;

use super::BackupError;

/// The address of a database, and apart from it the password: arguments can be read by everybody.
struct Address {
    url: String,
    password: Option<String>,
}

impl Address {
    fn of(url: &str) -> Self {
        let Ok(mut parsed) = Url::parse(url) else {
            return Self { url: url.to_owned(), password: None };
        };
        let password = parsed.password().map(percent_decoded);
        // An address without a host cannot hold a password, and needs none taken out.
        let _ = parsed.set_password(None);
        Self { url: parsed.to_string(), password }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password);
        }
        command.stdin(std::process::Stdio::null());
        command
    }
}

fn percent_decoded(text: &str) -> String {
    let pair = format!("x={text}").replace('+', "%2B");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// Writes the database into a file, in PostgreSQL's custom format, as it is at one moment.
pub(super) async fn dump(url: &str, to: &Path) -> Result<(), BackupError> {
    let address = Address::of(url);
    let mut command = address.command("pg_dump");
    command.args(["--format=custom", "--no-owner", "--no-privileges", "--file"]).arg(to);
    command.arg("--dbname").arg(&address.url);
    let by_hand = format!(
        "pg_dump --format=custom --no-owner --no-privileges --file=yunling.pgdump --dbname='{}'` for \
         the database, and `tar -cf yunling-data.tar DATA_DIR` for the files",
        address.url
    );
    run("pg_dump", command, &by_hand).await
}

/// Restores a dump into an empty database, in one transaction: all of it or nothing.
pub(super) async fn load(url: &str, from: &Path) -> Result<(), BackupError> {
    let address = Address::of(url);
    let mut command = address.command("pg_restore");
    command.args(["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]);
    command.arg("--dbname").arg(&address.url).arg(from);
    let by_hand = format!(
        "tar -xf ARCHIVE database/yunling.pgdump && pg_restore --no-owner --no-privileges \
         --single-transaction --dbname='{}' database/yunling.pgdump`",
        address.url
    );
    run("pg_restore", command, &by_hand).await
}

async fn run(
    program: &'static str,
    mut command: Command,
    by_hand: &str,
) -> Result<(), BackupError> {
    let failed = |said: String| BackupError::Tool { program, said };
    let output = command.output().await.map_err(|error| {
        failed(format!(
            "cannot be started ({error}): install PostgreSQL's client programs of the server's \
             version (Debian: postgresql-client), or do it by hand: `{by_hand}"
        ))
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(format!("{}: {}", output.status, said.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_no_argument() {
        let cases = [
            ("postgres://u:p%40ss+1@h:5432/d", "postgres://u@h:5432/d", Some("p@ss+1")),
            ("postgres://u@h/d?sslmode=require", "postgres://u@h/d?sslmode=require", None),
        ];
        for (given, url, password) in cases {
            let address = Address::of(given);
            assert_eq!((address.url.as_str(), address.password.as_deref()), (url, password));
        }
    }
}
