//! `lifeboat explain`: explains error codes.

use clap::Args;
use lifeboat_model::{Code, Exit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Document;
use crate::output::table::Table;

const AFTER: &str = "Example:
  lifeboat explain LB-0103

Exit codes: 0 explained, 2 no such code";

/// Options of `lifeboat explain`.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct Arguments {
    /// The code, such as LB-0103; lists all codes if omitted
    pub code: Option<String>,
}

/// What is known about codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Explanations {
    /// Always `lifeboat.dev/explanations/v1`.
    pub format: String,
    /// One entry per code, in order.
    pub codes: Vec<Explanation>,
}

/// What is known about one code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Explanation {
    /// The code.
    pub code: Code,
    /// Its meaning in a few words.
    pub title: String,
    /// What has happened, and what has not.
    pub meaning: String,
    /// What to do.
    pub remedy: String,
    /// The exit code of a command that ends with it.
    pub exit_code: u8,
}

impl Document for Explanations {
    fn table(&self) -> String {
        if let [only] = self.codes.as_slice() {
            return format!(
                "{}: {}\n\n{}\n\nFix: {}.\nExit code: {}\n",
                only.code, only.title, only.meaning, only.remedy, only.exit_code
            );
        }
        let mut table = Table::new(&["CODE", ">EXIT", "MEANING"]);
        for each in &self.codes {
            table.row([
                each.code.to_string(),
                each.exit_code.to_string(),
                each.title.clone(),
            ]);
        }
        table.render(0)
    }
}

/// Prints the explanation of a code, or of all codes.
///
/// # Errors
/// LB-0010 if there is no such code.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let codes: Vec<Code> = match &arguments.code {
        None => Code::ALL.to_vec(),
        Some(text) => vec![find(text)?],
    };
    let codes = codes
        .into_iter()
        .map(|code| {
            let known = code.explanation();
            Explanation {
                code,
                title: known.title.to_owned(),
                meaning: known.meaning.to_owned(),
                remedy: known.remedy.to_owned(),
                exit_code: code.exit().number(),
            }
        })
        .collect();
    context.print(&Explanations {
        format: "lifeboat.dev/explanations/v1".to_owned(),
        codes,
    })?;
    Ok(Exit::Success)
}

fn find(text: &str) -> Result<Code, Failure> {
    let upper = text.to_ascii_uppercase();
    let digits = upper.trim_start_matches("LB").trim_start_matches('-');
    let number: Option<u16> = digits.parse().ok();
    Code::ALL
        .iter()
        .copied()
        .find(|code| Some(code.number()) == number)
        .ok_or_else(|| {
            Failure::new(Code::Usage, format!("the code {text:?} does not exist"))
                .remedy("`lifeboat explain` lists all codes")
        })
}
