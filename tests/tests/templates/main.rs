//! Requirements for every CloudFormation template of Lifeboat beyond those that cfn-lint checks:
//! least privilege, tags, logs that expire, alarms, and data that outlives its stack.
//!
//! Each rule is a function from a template to its violations, and is itself tested with a template
//! that violates it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

mod dashboard;
mod dist;
mod immutability;
mod names;
mod private_delegates;
mod rules;
mod template;

use rules::RULES;
use template::Template;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../cloudformation")
}

fn templates() -> Vec<Template> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| {
            Template::parse(
                path.file_stem().unwrap().to_str().unwrap(),
                &std::fs::read_to_string(path).unwrap(),
            )
        })
        .collect()
}

#[test]
fn every_template_holds_every_rule() {
    let templates = templates();
    assert!(templates.len() >= 5, "the templates were not found");
    let violations: Vec<String> = templates
        .iter()
        .flat_map(|template| {
            RULES.iter().flat_map(move |(name, rule)| {
                rule(template)
                    .into_iter()
                    .map(move |violation| format!("{}.yaml, {name}: {violation}", template.name))
            })
        })
        .collect();
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

/// Every rule must find a violation in a template that violates all of them.
#[test]
fn every_rule_finds_what_breaks_it() {
    let broken = Template::parse("broken", BROKEN);
    for (name, rule) in RULES {
        assert!(!rule(&broken).is_empty(), "{name} finds nothing");
    }
}

const BROKEN: &str = r#"
Parameters:
  Anything: {Type: String}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {AWS: "*"}, Action: "sts:AssumeRole"}]
      Policies:
        - PolicyName: all
          PolicyDocument:
            Statement:
              - {Effect: Allow, Action: "s3:*", Resource: "*"}
  Bucket:
    Type: AWS::S3::Bucket
  Key:
    Type: AWS::KMS::Key
  Function:
    Type: AWS::Lambda::Function
    Properties: {FunctionName: f, Role: "arn:aws:iam::111111111111:role/r"}
  LogGroup:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: f}
  Rule:
    Type: AWS::Events::Rule
    Properties: {Targets: [{Id: f}]}
  Resource:
    Type: Custom::Thing
"#;
