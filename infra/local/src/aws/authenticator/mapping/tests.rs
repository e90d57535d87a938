#![expect(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::json;

use super::*;

fn session(role: &str, name: &str) -> Caller {
    Caller {
        arn: format!("arn:aws:sts::111111111111:assumed-role/{role}/{name}"),
        user_id: format!("AROA1:{name}"),
        access_key_id: "FSIA1".into(),
    }
}

#[test]
fn an_entry_without_a_name_gives_the_session_its_own() {
    let entry = json!({
        "principalArn": "arn:aws:iam::111111111111:role/team/Lifeboat",
        "kubernetesGroups": ["readers"],
    });
    let mapped = by_entry(&entry, &session("Lifeboat", "me@example.com"));
    assert_eq!(
        mapped.username,
        "arn:aws:sts::111111111111:assumed-role/Lifeboat/me-example.com"
    );
    assert_eq!(mapped.groups, ["readers"]);
}

#[test]
fn an_entry_may_name_the_user_itself() {
    let entry = json!({
        "principalArn": "arn:aws:iam::111111111111:role/Lifeboat",
        "username": "lifeboat:{{AccountID}}:{{SessionNameRaw}}",
        "kubernetesGroups": [],
    });
    let mapped = by_entry(&entry, &session("Lifeboat", "a@b"));
    assert_eq!(mapped.username, "lifeboat:111111111111:a@b");
    assert!(mapped.groups.is_empty());
}

#[test]
fn aws_auth_maps_roles_users_and_accounts_in_this_order() {
    let data = json!({
        "mapRoles": "- rolearn: arn:aws:iam::111111111111:role/lifeboat\n  username: boat:{{SessionName}}\n  groups: [readers, 'of:{{AccountID}}']\n",
        "mapUsers": "- userarn: arn:aws:iam::111111111111:user/me\n  username: me\n  groups: [system:masters]\n",
        "mapAccounts": "- \"111111111111\"\n",
    });
    let role = by_config_map(&data, &session("Lifeboat", "s")).unwrap();
    assert_eq!(role.username, "boat:s");
    assert_eq!(role.groups, ["readers", "of:111111111111"]);
    let mut user = session("x", "y");
    user.arn = "arn:aws:iam::111111111111:user/me".into();
    assert_eq!(by_config_map(&data, &user).unwrap().username, "me");
    let other = by_config_map(&data, &session("Other", "s")).unwrap();
    assert_eq!(other.username, "arn:aws:iam::111111111111:role/Other");
    assert!(other.groups.is_empty());
}

#[test]
fn a_role_that_was_written_with_its_path_never_matches() {
    let data =
        json!({ "mapRoles": "- rolearn: arn:aws:iam::111111111111:role/team/Lifeboat\n  username: x\n" });
    assert_eq!(by_config_map(&data, &session("Lifeboat", "s")), None);
}

#[test]
fn broken_yaml_maps_nobody() {
    let data = json!({ "mapRoles": "- rolearn: [", "mapUsers": "no list" });
    assert_eq!(by_config_map(&data, &session("Lifeboat", "s")), None);
}

#[test]
fn each_mode_reads_what_its_name_says() {
    for (mode, entries, config_map) in [
        (Some("API"), true, false),
        (Some("API_AND_CONFIG_MAP"), true, true),
        (Some("CONFIG_MAP"), false, true),
        (None, false, true),
    ] {
        let mode = Mode::parse(mode);
        assert_eq!(
            (mode.reads_entries(), mode.reads_config_map()),
            (entries, config_map)
        );
    }
}
