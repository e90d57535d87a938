use std::collections::BTreeMap;
use std::fmt::Write as _;

use lifeboat_model::{Code, Problem};

use super::guidance;
use crate::exit::Exit;

#[test]
fn every_code_has_its_own_explanation() {
    let mut titles = BTreeMap::new();
    for code in Code::ALL {
        let text = guidance(*code);
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
        let text = guidance(*code);
        let problem = Problem::new(*code, text.title, text.remedy);
        writeln!(all, "{problem}\n  exit code: {}\n", Exit::of(*code).number()).expect("a String takes all");
    }
    insta::assert_snapshot!(all);
}
