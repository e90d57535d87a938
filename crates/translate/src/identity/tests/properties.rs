use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

/// Texts that name the primary, texts that only look like it, and texts between them. None names the recovery
/// environment: on the way back it would be taken for a translation.
fn pieces() -> impl Strategy<Value = String> {
    let known: Vec<String> = sample()
        .identities
        .into_iter()
        .map(|identity| identity.from)
        .collect();
    let texts = [
        "eu-west-1",
        "111111111111",
        "eu-west-1c",
        "us-east-1",
        "arn:aws:iam::111111111111:role/cart",
        "arn:aws:iam::111111111111:role/nodes",
        "arn:aws:sqs:eu-west-1:111111111111:orders",
        "arn:aws:acm:us-east-1:111111111111:certificate/1",
        "arn:aws:s3:::shop-media-1/a",
        "https://sqs.eu-west-1.amazonaws.com/111111111111/orders",
        "https://sts.eu-west-1.amazonaws.com",
        "https://x.example.com/eu-west-1?q=111111111111",
        "s3://shop-media-1/eu-west-1",
        "111111111111.dkr.ecr.eu-west-1.amazonaws.com/a:1",
        "602401143452.dkr.ecr.eu-west-1.amazonaws.com/a:1",
        "1111111111112",
        "subnet-0ccccccccccccccc1",
        "kubernetes.io/cluster/orders-prod",
        "arn:aws:iam::",
        "https://",
        "x",
        "é",
    ];
    let known = proptest::sample::select(known);
    let separators = proptest::sample::select(vec![
        " ", ",", ", ", "\n", "\\n", "\"", "=", "-", "_", "/", ":", ".", "://", "&", "", "'", "{", "@", "?",
        "#",
    ]);
    prop_oneof![
        known,
        proptest::sample::select(texts.to_vec()).prop_map(str::to_owned),
        separators.prop_map(str::to_owned),
        "[ -~]{0,4}",
    ]
}

fn texts() -> impl Strategy<Value = String> {
    proptest::collection::vec(pieces(), 0..8).prop_map(|pieces| pieces.concat())
}

static THERE: LazyLock<Identities> = LazyLock::new(|| Identities::compile(&sample()));
static BACK: LazyLock<Identities> = LazyLock::new(|| Identities::compile(&sample().reversed()));

fn translated(identities: &Identities, text: &str) -> String {
    let mut object = json!({"data": {"text": text}});
    identities.apply(("", "configmaps"), &|_| false, &mut object);
    object["data"]["text"].as_str().unwrap_or_default().to_owned()
}

fn names_recovery(text: &str) -> bool {
    let map = sample().reversed();
    text.contains("222222222222")
        || text.contains("eu-central-1")
        || map
            .identities
            .iter()
            .any(|identity| text.contains(&identity.from))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn applying_it_twice_changes_nothing_more(text in texts()) {
        let once = translated(&THERE, &text);
        prop_assert_eq!(translated(&THERE, &once), once);
    }

    #[test]
    fn there_and_back_gives_the_original(text in texts()) {
        prop_assume!(!names_recovery(&text));
        let there = translated(&THERE, &text);
        prop_assert_eq!(translated(&BACK, &there), text);
    }

    #[test]
    fn what_no_rule_matches_keeps_its_bytes(text in "[ -~é]{0,40}") {
        prop_assume!(!text.contains("eu-west-1") && !text.contains("111111111111"));
        prop_assert_eq!(translated(&THERE, &text), text);
    }

    #[test]
    fn a_translation_is_listed_wherever_bytes_change(text in texts()) {
        let mut object = json!({"data": {"text": text}});
        let outcome = THERE.apply(("", "configmaps"), &|_| false, &mut object);
        let changed = object["data"]["text"] != text;
        prop_assert_eq!(changed, !outcome.rewritten.is_empty());
        for one in &outcome.rewritten {
            prop_assert!(text.contains(&one.from), "{:?}", one);
        }
    }
}

#[test]
fn the_rules_are_tried_in_the_order_that_is_documented() {
    // Each text is known to the rule of its line and to a later one.
    let map = sample();
    for (text, rule, later) in [
        (OLD_CERTIFICATE, Rule::Arn, Rule::ArnOfResource),
        (
            "arn:aws:sqs:eu-west-1:111111111111:a",
            Rule::ArnOfResource,
            Rule::Region,
        ),
        (
            "111111111111.dkr.ecr.eu-west-1.amazonaws.com",
            Rule::Registry,
            Rule::Host,
        ),
        (OLD_DATABASE, Rule::Host, Rule::Region),
        (
            "https://sqs.eu-west-1.amazonaws.com/111111111111/a",
            Rule::Url,
            Rule::Account,
        ),
        ("eu-west-1a", Rule::Zone, Rule::Region),
        ("subnet-0aaaaaaaaaaaaaaa1", Rule::Id, Rule::Account),
    ] {
        assert_eq!(rewritten(&map, text).1, [rule], "{text}");
        let place = |rule| Rule::ALL.iter().position(|one| *one == rule);
        assert!(place(rule) < place(later), "{rule:?} {later:?}");
    }
    let documented: Vec<&str> = include_str!("../../../IDENTITIES.md")
        .lines()
        .skip_while(|line| *line != "| rule | what it knows | where |")
        .skip(2)
        .map_while(|line| line.strip_prefix("| "))
        .filter_map(|row| row.split_once(" |"))
        .flat_map(|(rules, _)| rules.split(", "))
        .collect();
    let names = Rule::ALL.iter().skip(1).map(|rule| kebab(&format!("{rule:?}")));
    assert_eq!(names.collect::<Vec<_>>(), documented);
    let mut sorted = Rule::ALL.to_vec();
    sorted.sort();
    assert_eq!(sorted, Rule::ALL);
}

fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for (at, letter) in name.char_indices() {
        if at > 0 && letter.is_ascii_uppercase() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}
