#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::*;
use crate::Problem;

#[test]
fn codes_are_unique_and_survive_serde() {
    let mut numbers: Vec<u16> = Code::ALL.iter().map(|c| c.number()).collect();
    let sorted = numbers.clone();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, sorted, "codes are unique and stand in order");
    for code in Code::ALL {
        let text = serde_json::to_string(code).unwrap();
        assert_eq!(serde_json::from_str::<Code>(&text).unwrap(), *code);
    }
    assert!(serde_json::from_str::<Code>("\"LB-9999\"").is_err());
}

#[test]
fn every_code_has_its_own_explanation() {
    let mut titles = BTreeMap::new();
    for code in Code::ALL {
        let text = code.explanation();
        if let Some(other) = titles.insert(text.title, code) {
            panic!("{code} and {other} share the text {:?}", text.title);
        }
        for sentence in [text.title, text.remedy] {
            assert!(
                !sentence.ends_with('.'),
                "{code}: {sentence:?} is embedded in a line"
            );
        }
        assert!(text.meaning.ends_with('.'), "{code}: {:?}", text.meaning);
    }
}

#[test]
fn all_problems_as_they_are_shown() {
    let mut all = String::new();
    for code in Code::ALL {
        let text = code.explanation();
        let problem = Problem::new(*code, text.title, text.remedy);
        writeln!(all, "{problem}\n  exit code: {}\n", code.exit().number()).unwrap();
    }
    insta::assert_snapshot!(all);
}
