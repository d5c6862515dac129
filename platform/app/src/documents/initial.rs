//! A secret as a document gives it: in place, in a file, or in the environment.

use crate::secrets::Plain;
use std::path::{Path, PathBuf};

/// The three ways, of which at most one may be used: `token`, `token_file`, `token_env`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Initial<'a> {
    /// The field's name without `_file` and `_env`.
    pub(super) field: &'static str,
    pub(super) in_place: Option<&'a Plain>,
    pub(super) in_file: Option<&'a PathBuf>,
    pub(super) in_env: Option<&'a String>,
}

/// Where secrets and media are found: the document's folder and the environment.
pub(super) struct Surroundings<'a> {
    pub(super) folder: &'a Path,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
}

impl Initial<'_> {
    /// The secret, if the document gives one.
    ///
    /// # Errors
    /// The field that is wrong and what was expected; never the secret.
    pub(super) fn resolve(
        &self,
        around: &Surroundings<'_>,
    ) -> Result<Option<Plain>, (String, String)> {
        let field = self.field;
        let (file_field, env_field) = (format!("{field}_file"), format!("{field}_env"));
        match (self.in_place, self.in_file, self.in_env) {
            (None, None, None) => Ok(None),
            (Some(secret), None, None) => kept(field.to_owned(), secret.clone()),
            (None, Some(file), None) => {
                let path = around.folder.join(file);
                let text = std::fs::read_to_string(&path).map_err(|error| {
                    (file_field.clone(), format!("{} cannot be read: {error}", path.display()))
                })?;
                kept(file_field, Plain::new(text.trim_end_matches(['\r', '\n'])))
            }
            (None, None, Some(name)) => match (around.env)(name) {
                Some(text) => kept(env_field, Plain::new(text)),
                None => Err((env_field, format!("the environment has no variable {name:?}"))),
            },
            _ => Err((
                field.to_owned(),
                format!("expected only one of {field}, {file_field} and {env_field}"),
            )),
        }
    }
}

fn kept(field: String, secret: Plain) -> Result<Option<Plain>, (String, String)> {
    if secret.expose().trim().is_empty() {
        return Err((field, "expected a secret, found nothing".to_owned()));
    }
    Ok(Some(secret))
}
