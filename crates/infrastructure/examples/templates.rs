//! Writes the templates of the sample application and of random ones as files, for cfn-lint and parliament.
//!
//! `cargo run -p lifeboat-infrastructure --example templates -- DIR [SEEDS]` writes `DIR/<application>-<stack>-….json`,
//! and each policy of them as `DIR/policies/….json`. The policies with which the stack `rebuild` lets the delegate build,
//! and the boundary of the roles, are written as `DIR/application/….json`.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;

use lifeboat_infrastructure::{Descriptions, Template};
use serde_json::Value;

#[expect(dead_code, reason = "the tests use the rest")]
#[expect(clippy::unwrap_used, reason = "the template is that of this repository")]
#[path = "../tests/permissions/policies.rs"]
mod policies;
#[path = "../tests/templates/random.rs"]
mod random;
#[path = "../tests/templates/sample.rs"]
mod sample;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(folder) = arguments.next() else {
        return Err("usage: templates DIR [SEEDS]".into());
    };
    let seeds: u64 = arguments.next().map_or(Ok(4), |text| text.parse())?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder.join("policies"))?;
    write(folder, "sample", &sample::descriptions())?;
    for seed in 0..seeds {
        write(folder, &format!("random{seed}"), &random::descriptions(seed))?;
    }
    fs::create_dir_all(folder.join("application"))?;
    let stack = policies::Stack::new();
    for name in policies::BUILDING.into_iter().chain(["BuiltRolesBoundary"]) {
        let document = stack.managed(name).ok_or("the template lacks a policy")?;
        fs::write(
            folder.join(format!("application/{name}.json")),
            format!("{document:#}\n"),
        )?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str, descriptions: &Descriptions) -> Result<(), Box<dyn Error>> {
    // Many stacks are the same in both modes or passes; each template is written once.
    let mut written = BTreeSet::new();
    // Another account, and another Region of the same account, in which roles have other names.
    for (account, of) in [("222222222222", "other"), ("111111111111", "same")] {
        for (stack, generated) in sample::all(descriptions, account) {
            let new = generated
                .template
                .filter(|template| written.insert(template.body()));
            if let Some(template) = new {
                let name = format!("{name}-{of}-{stack}");
                fs::write(
                    folder.join(format!("{name}.json")),
                    format!("{:#}\n", template.json()),
                )?;
                write_policies(&folder.join("policies"), &name, &template)?;
            }
        }
    }
    Ok(())
}

/// Writes the policies of roles that hold no reference, which no linter of policies reads.
fn write_policies(folder: &Path, name: &str, template: &Template) -> Result<(), Box<dyn Error>> {
    for (logical, resource) in &template.resources {
        let inline = resource.properties.get("Policies").and_then(Value::as_array);
        let documents = inline
            .into_iter()
            .flatten()
            .filter_map(|policy| policy.get("PolicyDocument"));
        let own =
            (resource.r#type == "AWS::IAM::ManagedPolicy").then(|| resource.properties.get("PolicyDocument"));
        for (position, document) in documents.chain(own.flatten()).enumerate() {
            let text = document.to_string();
            if !text.contains("\"Ref\"") && !text.contains("\"Fn::") {
                fs::write(folder.join(format!("{name}-{logical}-{position}.json")), text)?;
            }
        }
    }
    Ok(())
}
