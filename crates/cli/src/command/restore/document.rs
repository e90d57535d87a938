//! The report of a restore, with additional facts that the command knows.

use std::borrow::Cow;

use lifeboat_model::Code;
use lifeboat_plan::LintFinding;
use lifeboat_plan::lint::NOT_CAPTURED;
use lifeboat_plan::report::{NotRestoredGroup, Report, Verdict};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::{Error as _, SerializeMap as _};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::unverified::NOT_ATTEMPTED;
use crate::command::missing::MissingPart;
use crate::failure::Failure;
use crate::measure::Measured;
use crate::output::{Document, human};

/// The report of a restore. As JSON (`lifeboat schema report`) it has the report's own fields and the additional fields
/// of the command.
#[derive(Debug, Clone)]
pub struct RestoreDocument {
    /// The address of the target's API server.
    pub target: String,
    /// Whether the target was read back. If not, the verdict of the report is `notProven`.
    pub proven: bool,
    /// Whether an interrupted restore was continued.
    pub resumed: bool,
    /// Whether this restore was interrupted: the report then says what was done until then.
    pub interrupted: bool,
    /// How many times the plan was applied; 1 if no object had to be retried.
    pub passes: u32,
    /// What the recovery point itself lacks, if it is Partial.
    pub missing: Vec<MissingPart>,
    /// The findings of the plan's lint.
    pub findings: Vec<LintFinding>,
    /// The report.
    pub report: Report,
    /// Time and memory.
    pub measured: Measured,
}

impl RestoreDocument {
    /// The name and version of this document.
    pub const FORMAT: &str = "lifeboat.dev/restore/v1";

    /// Returns why the restore did not succeed, or `None` if it did.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        let summary = &self.report.summary;
        if self.interrupted {
            return Some(Failure::new(
                Code::Interrupted,
                format!(
                    "the restore was interrupted: {} of {} planned objects are in the target",
                    human::count(summary.restored),
                    human::count(summary.planned)
                ),
            ));
        }
        if summary.failed > 0 {
            let objects = human::counted(summary.failed, "planned object is", "planned objects are");
            return Some(Failure::new(
                Code::RestoreIncomplete,
                format!("{objects} missing in the target; the report lists each"),
            ));
        }
        if self.proven && self.report.verdict == Verdict::NamesPrimary {
            let what = human::counted(
                summary.leftovers,
                "identifier of the primary is",
                "identifiers of the primary are",
            );
            return Some(Failure::new(
                Code::LeftoverInTarget,
                format!("{what} in restored objects; the report lists each"),
            ));
        }
        if self.proven && summary.unexplained == 0 && !self.report.matches_plan() {
            let what = match summary.workloads_differing {
                0 => format!(
                    "{} fewer ready Pods than in the source",
                    human::counted(summary.workloads_not_ready, "workload has", "workloads have")
                ),
                differing => format!(
                    "{} something else than in the source",
                    human::counted(differing, "workload runs", "workloads run")
                ),
            };
            return Some(Failure::new(
                Code::ProofFailed,
                format!("{what}; the report names each"),
            ));
        }
        if self.proven && !self.report.matches_plan() {
            let unexplained = human::counted(
                summary.unexplained,
                "unexplained difference",
                "unexplained differences",
            );
            let owners = human::counted(
                summary.owners,
                "field with other owners",
                "fields with other owners",
            );
            let differences = match (summary.unexplained, summary.owners) {
                (_, 0) => format!("{unexplained} from the plan"),
                (0, _) => format!("{owners} than planned"),
                _ => format!("{unexplained} from the plan and {owners} than planned"),
            };
            return Some(Failure::new(
                Code::ProofFailed,
                format!("the target has {differences}; the report lists each"),
            ));
        }
        None
    }
}

/// The fields that the command adds to the JSON of the report.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ReportSections<'a> {
    /// Always `lifeboat.dev/restore/v1`.
    format: &'static str,
    /// The address of the target's API server.
    target: &'a str,
    /// Whether the target was read back. Without it the verdict is `notProven`.
    proven: bool,
    /// Whether an interrupted restore was continued.
    resumed: bool,
    /// Whether this restore was interrupted. The report then says what was done until then.
    interrupted: bool,
    /// How many times the plan was applied; 1 if no object had to be retried.
    passes: u32,
    /// What the recovery point itself lacks, where it is Partial.
    missing: &'a [MissingPart],
    /// What the plan's lint warned of.
    findings: &'a [LintFinding],
    /// Time and memory.
    measured: &'a Measured,
}

/// The verdict of a restore whose target was not read back.
const NOT_PROVEN: &str = "notProven";

impl RestoreDocument {
    fn beside(&self) -> ReportSections<'_> {
        ReportSections {
            format: Self::FORMAT,
            target: &self.target,
            proven: self.proven,
            resumed: self.resumed,
            interrupted: self.interrupted,
            passes: self.passes,
            missing: &self.missing,
            findings: &self.findings,
            measured: &self.measured,
        }
    }
}

// The report's own fields are at the top level, where its readers expect them. serde's flatten would buffer numbers of
// arbitrary precision incorrectly, and a report of 300,000 objects is not rendered in memory.
impl Serialize for RestoreDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Report {
            format_version,
            verdict,
            point,
            cluster,
            plan,
            summary,
            restored,
            changed,
            not_restored,
            unplanned,
            workloads,
            leftovers,
            notes,
            rules,
            warnings,
        } = &self.report;
        let beside = serde_json::to_value(self.beside()).map_err(S::Error::custom)?;
        let mut document = serializer.serialize_map(None)?;
        for (name, value) in beside.as_object().into_iter().flatten() {
            document.serialize_entry(name, value)?;
        }
        document.serialize_entry("formatVersion", format_version)?;
        match self.proven {
            true => document.serialize_entry("verdict", verdict)?,
            false => document.serialize_entry("verdict", NOT_PROVEN)?,
        }
        document.serialize_entry("point", point)?;
        document.serialize_entry("cluster", cluster)?;
        document.serialize_entry("plan", plan)?;
        document.serialize_entry("summary", summary)?;
        document.serialize_entry("restored", restored)?;
        document.serialize_entry("changed", changed)?;
        document.serialize_entry("notRestored", not_restored)?;
        document.serialize_entry("unplanned", unplanned)?;
        document.serialize_entry("workloads", workloads)?;
        if !leftovers.is_empty() {
            document.serialize_entry("leftovers", leftovers)?;
        }
        if !notes.is_empty() {
            document.serialize_entry("notes", notes)?;
        }
        document.serialize_entry("rules", rules)?;
        if !warnings.is_empty() {
            document.serialize_entry("warnings", warnings)?;
        }
        document.end()
    }
}

// One schema for both: that of the report and that of the additional fields, as they are serialized.
impl JsonSchema for RestoreDocument {
    fn schema_name() -> Cow<'static, str> {
        "RestoreDocument".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Report::json_schema(generator);
        let mut beside = ReportSections::json_schema(generator);
        for list in ["properties", "required"] {
            match (schema.get_mut(list), beside.remove(list)) {
                (Some(Value::Object(into)), Some(Value::Object(more))) => into.extend(more),
                (Some(Value::Array(into)), Some(Value::Array(more))) => into.extend(more),
                _ => {}
            }
        }
        if let Some(verdict) = schema.pointer_mut("/properties/verdict") {
            let proven = verdict.take();
            *verdict = json_schema!({
                "description": "Whether the cluster matches the plan; `notProven` where the target was not read back.",
                "anyOf": [proven, {"const": NOT_PROVEN}],
            })
            .to_value();
        }
        schema.insert(
            "description".to_owned(),
            "The report of a restore: what was restored, what was changed and what is missing.".into(),
        );
        schema
    }
}

impl Document for RestoreDocument {
    fn table(&self) -> String {
        let report = &self.report;
        let mut text = format!(
            "restore of {} of {} into {}\n",
            report.cluster, report.point, self.target
        );
        if self.resumed {
            text.push_str("  continues an interrupted restore\n");
        }
        if self.proven {
            text.push_str(&report.text());
        } else {
            // The text of the report would claim a proof.
            let summary = &report.summary;
            let head = if self.interrupted {
                "INTERRUPTED"
            } else {
                "NOT PROVEN (--no-proof)"
            };
            let is_left =
                |absent: &&NotRestoredGroup| absent.planned && absent.why.as_deref() == Some(NOT_ATTEMPTED);
            let left = report.not_restored.iter().filter(is_left).count() as u64;
            text.push_str(&format!(
                "{head}: according to the API server's responses {} of {} planned objects are in the target, {} failed",
                human::count(summary.restored),
                human::count(summary.planned),
                human::count(summary.failed.saturating_sub(left))
            ));
            if left > 0 {
                text.push_str(&format!(", {} were not attempted", human::count(left)));
            }
            text.push('\n');
            let failed = report
                .not_restored
                .iter()
                .filter(|absent| absent.planned && !is_left(absent));
            for absent in failed {
                text.push_str(&format!(
                    "  {}: {}\n",
                    absent.object,
                    absent.why.as_deref().unwrap_or("no response")
                ));
            }
            text.push_str(&report.warnings_text());
        }
        // What the point lacks is listed below.
        let findings = self
            .findings
            .iter()
            .filter(|finding| finding.check != NOT_CAPTURED);
        for finding in findings {
            text.push_str(&format!(
                "\nwarning {}: {}\n  fix: {}\n",
                finding.code,
                finding.text(),
                finding.guidance
            ));
        }
        if !self.missing.is_empty() {
            text.push_str("\nthe recovery point is Partial; missing:\n");
            for missing in &self.missing {
                text.push_str(&missing.text());
            }
        }
        let phases: Vec<String> = ["verify", "read", "survey", "plan", "apply", "proof", "total"]
            .iter()
            .filter_map(|phase| Some((phase, self.measured.seconds.get(*phase)?)))
            .map(|(phase, seconds)| format!("{phase} {}", human::seconds(*seconds)))
            .collect();
        text.push_str(&format!("\ntook {}\n", phases.join(", ")));
        text
    }
}
