use std::collections::BTreeSet;

use lifeboat_infrastructure::{Descriptions, Generated, Mode, Severity, generate, stacks};
use lifeboat_model::Code;
use lifeboat_translate::identity::symbols_in;
use proptest::prelude::*;
use serde_json::Value;

use crate::{random, sample};

/// Calls `see` with each text of a value, keys included.
fn texts(value: &Value, see: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(list) => list.iter().for_each(|one| texts(one, see)),
        Value::Object(map) => {
            for (key, one) in map {
                see(key);
                texts(one, see);
            }
        }
        _ => {}
    }
}

/// Returns the names that a value refers to.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| references(one, found)),
        Value::Object(map) => {
            for (key, one) in map {
                match (key.as_str(), one) {
                    ("Ref", Value::String(name)) => {
                        found.insert(name.clone());
                    }
                    ("Fn::GetAtt", Value::Array(parts)) => {
                        found.extend(parts[0].as_str().map(str::to_owned));
                    }
                    ("DependsOn", Value::Array(names)) => {
                        found.extend(names.iter().filter_map(|name| name.as_str().map(str::to_owned)));
                    }
                    ("Fn::ImportValue", _) => panic!("no value is imported"),
                    _ => references(one, found),
                }
            }
        }
        _ => {}
    }
}

/// Holds what is true of every template.
fn check(descriptions: &Descriptions, name: &str, generated: &Generated) {
    let Some(template) = &generated.template else {
        return;
    };
    let json = template.json();
    let known: BTreeSet<String> = template
        .resources
        .keys()
        .chain(template.parameters.keys())
        .cloned()
        .collect();
    let mut found = BTreeSet::new();
    references(&json, &mut found);
    let unknown: Vec<&String> = found.difference(&known).collect();
    assert!(unknown.is_empty(), "{name} refers to {unknown:?}");
    let unused: Vec<&String> = template
        .parameters
        .keys()
        .filter(|name| !found.contains(*name))
        .collect();
    assert!(unused.is_empty(), "{name} does not use {unused:?}");
    for logical in template.resources.keys() {
        assert!(logical.bytes().all(|b| b.is_ascii_alphanumeric()) && logical.len() <= 255);
    }
    assert!(
        template.resources.len() <= 500 && template.outputs.len() <= 200 && template.parameters.len() <= 200
    );
    let account = descriptions.account.as_str();
    for (logical, resource) in &template.resources {
        let is_found = generated
            .findings
            .iter()
            .any(|finding| finding.resource == *logical && finding.code == Code::PrimaryNamed);
        let mut properties = Value::Object(resource.properties.clone());
        if let Some(data) = properties
            .pointer_mut("/LaunchTemplateData")
            .and_then(Value::as_object_mut)
        {
            data.remove("UserData");
        }
        let is_same_account = json.to_string().contains("-eu-central-1\"") || name.contains("same");
        texts(&properties, &mut |text| {
            assert!(symbols_in(text).next().is_none(), "{name} {logical}: {text}");
            let names = text.contains("eu-west-1") || (text.contains(account) && !is_same_account);
            let has_id = ["vpc-0", "subnet-0", "sg-0", "rtb-0", "fs-0", "fsap-0"]
                .iter()
                .any(|prefix| text.contains(prefix));
            assert!(is_found || !(names || has_id), "{name} {logical}: {text}");
        });
    }
}

#[test]
fn the_templates_of_the_sample_hold_together_and_nothing_forbids_them() {
    for account in ["222222222222", "111111111111"] {
        for (name, generated) in sample::all(&sample::descriptions(), account) {
            let name = format!(
                "{name}-{}",
                if account.starts_with('1') { "same" } else { "other" }
            );
            check(&sample::descriptions(), &name, &generated);
            let errors: Vec<_> = generated
                .findings
                .iter()
                .filter(|finding| finding.severity == Severity::Error)
                .collect();
            assert!(errors.is_empty(), "{name}: {errors:#?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn templates_of_random_descriptions_hold_together(seed in any::<u64>(), is_same in any::<bool>()) {
        let account = if is_same { "111111111111" } else { "222222222222" };
        let descriptions = random::descriptions(seed);
        let all = sample::all(&descriptions, account);
        for (name, generated) in &all {
            let name = format!("{name}-{}", if is_same { "same" } else { "other" });
            check(&descriptions, &name, generated);
        }
        // The same from the document as it is stored has the same bytes.
        let text = serde_json::to_vec(&descriptions).unwrap();
        let again = Descriptions::parse(&text).unwrap();
        for stack in stacks(&again) {
            let generated = generate(&again, &sample::facts(account), &stack, Mode::Active);
            let name = format!("{}-active-first", stack.symbol());
            let first = all.iter().find(|(other, _)| *other == name).map(|(_, first)| first);
            prop_assert_eq!(Some(&generated), first);
        }
        prop_assert_eq!(again, descriptions);
    }
}
