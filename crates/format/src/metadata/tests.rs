#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

#[test]
fn a_built_in_object_is_seen_without_its_own_type() {
    let raw = br#"{"metadata":{"name":"cart","namespace":"shop","uid":"u-1","resourceVersion":"7","labels":{"app":"c\"art"},"managedFields":[{"fieldsV1":{"f:metadata":{"f:name":{}}}}]},"spec":{"kind":"x","apiVersion":"y","metadata":{"name":"inner"}},"status":{}}"#;
    let found = peek_metadata(raw).unwrap();
    assert_eq!(found.namespace.as_deref(), Some("shop"));
    assert_eq!(
        (&*found.name, &*found.uid, &*found.resource_version),
        ("cart", "u-1", "7")
    );
    assert!(!found.has_kind && !found.has_api_version && !found.deletion);
    assert!(matches!(found.name, Cow::Borrowed(_)), "nothing is copied");
    assert_eq!(found.labels().unwrap()["app"], "c\"art");
}

#[test]
fn a_custom_resource_brings_its_type_and_odd_names_are_decoded() {
    let raw = br#" { "apiVersion" : "a/v1", "kind":"K","metadata" : { "name" : "a\u002db", "deletionTimestamp":"2026-01-01T00:00:00Z", "namespace":"" , "labels":null} } "#;
    let found = peek_metadata(raw).unwrap();
    assert!(found.has_kind && found.has_api_version && found.deletion);
    assert_eq!((&*found.name, found.namespace.as_deref()), ("a-b", None));
    assert!(found.labels().unwrap().is_empty());

    let not_deleted = peek_metadata(br#"{"metadata":{"deletionTimestamp":null,"name":"a"}}"#).unwrap();
    assert!(!not_deleted.deletion);
}

#[test]
fn what_is_no_object_is_refused_with_its_place() {
    for wrong in [
        "",
        "{",
        "[]",
        "null",
        r#"{"metadata""#,
        r#"{"metadata":{"name":"a""#,
        r#"{"metadata":{"name":"a"}}x"#,
        r#"{"metadata":{"name":"a"},"kind":"b",}"#,
        r#"{"metadata":{"name":1}}"#,
        r#"{"metadata":{"name":"a","labels":{}"#,
        r#"{"metadata":{"name":"a\ud800"}}"#,
        r#"{"metadata":"x"}"#,
        r#"{"metadata":{"name":"a"} "kind":1}"#,
        r#"{'metadata':{}}"#,
    ] {
        assert!(
            matches!(
                peek_metadata(wrong.as_bytes()),
                Err(MetadataError::NotAnObject { .. })
            ),
            "{wrong}"
        );
    }
    let error = peek_metadata(br#"{"metadata":{"name":17}}"#).unwrap_err();
    assert_eq!(error.to_string(), "byte 20 of the object is not a string");
    for nameless in [r#"{}"#, r#"{"metadata":{}}"#, r#"{"metadata":{"name":null}}"#] {
        assert_eq!(
            peek_metadata(nameless.as_bytes()),
            Err(MetadataError::NoName),
            "{nameless}"
        );
    }
    let odd = peek_metadata(br#"{"metadata":{"name":"a","labels":[1]}}"#).unwrap();
    assert_eq!(odd.labels(), Err(MetadataError::Labels));
}

#[test]
fn a_type_behind_the_metadata_is_found_at_the_top_level_only() {
    let behind =
        peek_metadata(br#"{"metadata":{"name":"a"},"spec":{},"kind":"K","apiVersion":"a/v1"}"#).unwrap();
    assert!(behind.has_kind && behind.has_api_version);
    let inside = peek_metadata(br#"{"metadata":{"name":"a"},"spec":{"kind":"K","apiVersion":"v"}}"#).unwrap();
    assert!(!inside.has_kind && !inside.has_api_version);
}

proptest! {
    #[test]
    fn it_agrees_with_a_full_parse(name in "[a-z\"\\\\é\n]{1,12}", namespace in proptest::option::of("[a-z]{1,9}"), spec in "[ -~]{0,90}", kind: bool) {
        let mut object = serde_json::json!({"metadata": {"annotations": {"x": spec, "{": "}"}, "name": name, "namespace": namespace}, "spec": [spec, 1.5, null]});
        if kind {
            object["kind"] = "Thing".into();
        }
        let text = serde_json::to_vec(&object).unwrap();
        let found = peek_metadata(&text).unwrap();
        prop_assert_eq!(&*found.name, &name);
        prop_assert_eq!(found.namespace.as_deref(), namespace.as_deref());
        prop_assert_eq!(found.has_kind, kind);
        for cut in 0..text.len() {
            if let Ok(found) = peek_metadata(&text[..cut]) {
                prop_assert!(cut > text.len() / 2 && found.name == name, "cut at {cut}");
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>) {
        let _ = peek_metadata(&bytes);
        let _ = peek_metadata(&[br#"{"metadata":{"name":"a","#.as_slice(), &bytes].concat());
    }
}
