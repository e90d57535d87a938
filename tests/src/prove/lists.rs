//! The lists of a report, grouped for readers.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::claims;
use crate::snapshot::{array, text};

/// The number of examples shown for each group.
const EXAMPLES: usize = 3;

/// The lists of a report, grouped by type or reason.
#[derive(Debug, Default, Serialize)]
pub struct Lists {
    /// Restored objects, by type.
    pub restored: BTreeMap<String, Group>,
    /// Changed fields of restored objects, by place and reason.
    pub changed: BTreeMap<String, Group>,
    /// Objects that are not restored, by reason.
    #[serde(rename = "notRestored")]
    pub not_restored: BTreeMap<String, Group>,
    /// Objects of the target that are not part of the plan, by type.
    pub unplanned: BTreeMap<String, Group>,
}

/// A group of objects.
#[derive(Debug, Default, Serialize)]
pub struct Group {
    /// The number of objects.
    pub objects: usize,
    /// The first objects.
    pub examples: Vec<String>,
}

impl Group {
    fn add(&mut self, named: &Value) {
        self.objects += 1;
        if self.examples.len() < EXAMPLES {
            let place = [text(named, "/namespace"), text(named, "/name")];
            let place: Vec<&str> = place.into_iter().filter(|part| !part.is_empty()).collect();
            self.examples
                .push(format!("{} {}", text(named, "/type"), place.join("/")));
        }
    }
}

impl Lists {
    /// Groups the entries of a report.
    #[must_use]
    pub fn read(report: &Value) -> Self {
        let mut lists = Self::default();
        for entry in array(report, "/restored") {
            let name = text(entry, "/object/type").to_owned();
            lists.restored.entry(name).or_default().add(&entry["object"]);
        }
        for entry in array(report, "/changed") {
            let rule = text(entry, "/rule");
            let by = match report["rules"][rule]["reason"].as_str() {
                Some(reason) => reason.to_owned(),
                None => [text(entry, "/by"), text(entry, "/who")]
                    .join(" ")
                    .trim()
                    .to_owned(),
            };
            let name = format!("{}: {by}", text(entry, "/path"));
            lists.changed.entry(name).or_default().add(&entry["object"]);
        }
        for entry in array(report, "/notRestored") {
            let rule = text(entry, "/rule");
            let reason = report["rules"][rule]["reason"].as_str();
            let name = reason.map_or_else(|| claims::reason_of(report, entry), str::to_owned);
            lists.not_restored.entry(name).or_default().add(&entry["object"]);
        }
        for entry in array(report, "/unplanned") {
            let name = text(entry, "/object/type").to_owned();
            lists.unplanned.entry(name).or_default().add(&entry["object"]);
        }
        lists
    }

    /// Prints the lists, the largest groups first.
    pub fn print(&self) {
        show("restored", &self.restored, false);
        show("changed fields", &self.changed, true);
        show("not restored", &self.not_restored, true);
        show("in the target, planned by nobody", &self.unplanned, true);
    }
}

fn show(title: &str, groups: &BTreeMap<String, Group>, examples: bool) {
    let total: usize = groups.values().map(|group| group.objects).sum();
    println!("\n{title}: {total}");
    let mut sorted: Vec<(&String, &Group)> = groups.iter().collect();
    sorted.sort_by_key(|(name, group)| (std::cmp::Reverse(group.objects), (*name).clone()));
    for (name, group) in sorted {
        println!("{:>7}  {name}", group.objects);
        if examples {
            let more = if group.objects > group.examples.len() {
                ", ..."
            } else {
                ""
            };
            println!("         for instance {}{more}", group.examples.join(", "));
        }
    }
}
