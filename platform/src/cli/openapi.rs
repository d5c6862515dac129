//! `yunling openapi`: the committed documents are made with it, and drift is found with it.

use clap::Args;

/// Print the API's OpenAPI document, or the error catalogue.
#[derive(Debug, Args)]
pub(super) struct Openapi {
    /// Print the error catalogue instead.
    #[arg(long)]
    error_codes: bool,
}

impl Openapi {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let document = if self.error_codes {
            yunling_domain::error_code::as_json()
        } else {
            crate::api::spec()
        };
        println!("{document:#}");
        Ok(())
    }
}
