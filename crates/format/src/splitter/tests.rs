#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use lifeboat_model::{Diagnostic as _, ErrorKind};
use proptest::prelude::*;

use super::*;

fn split(chunks: &[&[u8]]) -> Result<(ListMeta, Vec<String>), SplitError> {
    let mut splitter = Splitter::new();
    let mut items = Vec::new();
    for chunk in chunks {
        splitter.push(chunk, |item| {
            items.push(String::from_utf8_lossy(item).into_owned());
            Ok::<_, SplitError>(())
        })?;
    }
    splitter.finish().map(|meta| (meta, items))
}

const LIST: &str = r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"42","continue":"abc\"}]","remainingItemCount":7},"items":[{"metadata":{"name":"a","labels":{"x":"}]\\\"{["}}},{"big":12345678901234567890123,"deep":[[[{}]]]} , {}]}
"#;

#[test]
fn items_and_metadata_come_out_as_the_server_sent_them() {
    let (meta, items) = split(&[LIST.as_bytes()]).unwrap();
    assert_eq!(
        items,
        [
            r#"{"metadata":{"name":"a","labels":{"x":"}]\\\"{["}}}"#,
            r#"{"big":12345678901234567890123,"deep":[[[{}]]]}"#,
            "{}"
        ]
    );
    assert_eq!(
        meta,
        ListMeta {
            api_version: "v1".into(),
            kind: "PodList".into(),
            resource_version: Some("42".into()),
            continue_token: Some("abc\"}]".into()),
            remaining: Some(7),
            items: 3,
        }
    );
}

#[test]
fn every_chunk_border_gives_the_same_items() {
    let whole = split(&[LIST.as_bytes()]).unwrap();
    for cut in 0..=LIST.len() {
        let (first, second) = LIST.as_bytes().split_at(cut);
        assert_eq!(split(&[first, second]).unwrap(), whole, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = LIST.as_bytes().chunks(1).collect();
    assert_eq!(split(&bytes).unwrap(), whole);
}

#[test]
fn every_truncation_is_an_error() {
    let end = LIST.trim_end().len();
    for cut in 0..end {
        let error = split(&[&LIST.as_bytes()[..cut]]).unwrap_err();
        assert_eq!(error, SplitError::Truncated { bytes: cut as u64 });
        assert_eq!(error.kind(), ErrorKind::Retry);
    }
    assert!(split(&[&LIST.as_bytes()[..end]]).is_ok());
}

#[test]
fn fields_may_stand_in_any_order_and_unknown_ones_are_passed_over() {
    let list = br#" { "items" : null , "extra":[{"items":[1]}], "n":-1.5e3, "t" : true,"s":"\u007d", "metadata":{"resourceVersion":"9","continue":""},"apiVersion":"apps/v1" ,"kind":"DeploymentList"} "#;
    let (meta, items) = split(&[list]).unwrap();
    assert_eq!((items.len(), meta.resource_version.as_deref()), (0, Some("9")));
    assert_eq!(
        (meta.continue_token, meta.kind.as_str()),
        (None, "DeploymentList")
    );

    let (_, items) =
        split(&[br#"{"items":[{"kind":"X"}],"metadata":{},"apiVersion":"a/v1","kind":"Odd"}"#]).unwrap();
    assert_eq!(items, [r#"{"kind":"X"}"#]);
}

#[test]
fn a_status_is_an_error_that_follows_its_code() {
    let status = br#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"The provided continue parameter is too old","reason":"Expired","code":410}"#;
    let error = split(&[status]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone);
    assert_eq!(
        error.to_string(),
        "the server returned a Status instead of a list: 410 Expired: The provided continue parameter is too old"
    );
}

#[test]
fn what_is_no_list_is_refused() {
    let list = |items: &str| format!(r#"{{"kind":"L","apiVersion":"v1","items":{items}}}"#);
    let meta = |meta: &str| format!(r#"{{"kind":"L","apiVersion":"v1","items":[],"metadata":{meta}}}"#);
    for wrong in [
        "[]".into(),
        "null".into(),
        "<html>".into(),
        "{}".into(),
        r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}"#.into(),
        r#"{"items":[]}"#.into(),
        r#"{"kind":"L","items":[]}"#.into(),
        r#"{"kind":1,"apiVersion":"v1","items":[]}"#.into(),
        r#"{"kind":"L","kind":"L","apiVersion":"v1","items":[]}"#.into(),
        r#"{"kind":"L","apiVersion":"v1","items":[],"items":[]}"#.into(),
        r#"{"kind":"L","apiVersion":"v1","items":[],}"#.into(),
        r#"{"kind":"L" "apiVersion":"v1","items":[]}"#.into(),
        r#"{,"kind":"L","apiVersion":"v1","items":[]}"#.into(),
        list("{}"),
        list("nul"),
        list("[1]"),
        list("[null]"),
        list("[{},]"),
        list("[,{}]"),
        list("[{}{}]"),
        list("[[]]"),
        meta(r#""x""#),
        meta(r#"{"resourceVersion":42}"#),
        meta(r#"{"remainingItemCount":"x"}"#),
        meta("tru"),
        format!("{}x", list("[]")),
        format!("{}{}", list("[]"), list("[]")),
    ] {
        let error = split(&[wrong.as_bytes()]).unwrap_err();
        assert!(!matches!(error, SplitError::Truncated { .. }), "{wrong}: {error}");
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let mut splitter = Splitter::new();
    let mut push = |bytes: &[u8]| splitter.push(bytes, |_| Ok::<_, SplitError>(()));
    push(br#"{"kind":"L","apiVersion":"v1","items":[{"x":""#).unwrap();
    let mebibyte = vec![b'x'; 1 << 20];
    let error = (0..40).find_map(|_| push(&mebibyte).err()).unwrap();
    assert!(
        matches!(error, SplitError::TooLarge { what: "item", .. }),
        "{error}"
    );

    let deep = [
        br#"{"kind":"L","apiVersion":"v1","items":[{"x":"#.as_slice(),
        &[b'['; 20_000],
    ]
    .concat();
    assert!(matches!(split(&[&deep]).unwrap_err(), SplitError::TooDeep { .. }));

    let token = format!(r#"{{"metadata":{{"continue":"{}"#, "x".repeat(MAX_FIELD));
    let error = split(&[token.as_bytes()]).unwrap_err();
    assert!(
        matches!(error, SplitError::TooLarge { what: "field", .. }),
        "{error}"
    );

    // A field that is skipped takes no memory, whatever its size.
    let filler = "x".repeat(2 * MAX_FIELD);
    let list = format!(r#"{{"kind":"L","apiVersion":"v1","other":["{filler}"],"items":[]}}"#);
    assert!(split(&[list.as_bytes()]).is_ok());
}

#[test]
fn an_error_of_the_consumer_stops_the_splitter() {
    #[derive(Debug)]
    enum Mine {
        Enough,
        Split(SplitError),
    }
    impl From<SplitError> for Mine {
        fn from(error: SplitError) -> Self {
            Self::Split(error)
        }
    }
    let mut splitter = Splitter::new();
    let mut seen = 0;
    let result = splitter.push(LIST.as_bytes(), |_| {
        seen += 1;
        Err(Mine::Enough)
    });
    assert!(matches!(result, Err(Mine::Enough)));
    assert_eq!(seen, 1);
    let again = splitter.push(b" ", |_| Ok::<_, Mine>(()));
    assert!(matches!(again, Err(Mine::Split(SplitError::Poisoned))));
    assert_eq!(splitter.finish().unwrap_err(), SplitError::Poisoned);
}

/// Any JSON value, written by serde_json, as an independent reference for what an item is.
fn value() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~\\\\\"{}\\[\\]é\u{1F600}\n]{0,80}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[a-z\"\\\\{]{0,12}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_objects_survive_any_cutting(
        values in proptest::collection::vec(proptest::collection::btree_map("[a-z]{1,8}", value(), 0..4), 0..6),
        sizes in proptest::collection::vec(1_usize..90, 1..20),
        pretty: bool,
    ) {
        let list = serde_json::json!({"apiVersion": "v1", "items": values, "kind": "XList", "metadata": {"resourceVersion": "1"}});
        let text = if pretty { serde_json::to_string_pretty(&list) } else { serde_json::to_string(&list) }.unwrap();
        let mut rest = text.as_bytes();
        let mut chunks = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break; }
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            chunks.push(chunk);
            rest = after;
        }
        let (meta, items) = split(&chunks).unwrap();
        prop_assert_eq!(meta.items, values.len() as u64);
        for (item, value) in items.iter().zip(&values) {
            let read: std::collections::BTreeMap<String, serde_json::Value> = serde_json::from_str(item).unwrap();
            prop_assert_eq!(&read, value);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>, cut in 0_usize..64) {
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        let _ = split(&[first, second]);
        let _ = split(&[br#"{"items":["#, &bytes]);
    }
}
