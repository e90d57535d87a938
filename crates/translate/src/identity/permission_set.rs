//! The names of the roles that IAM Identity Center makes in an account for a permission set that is assigned to it:
//! `AWSReservedSSO_<permission set>_<16 hexadecimal digits>`. The digits are others in each account
//! (<https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html>).

const PREFIX: &str = "AWSReservedSSO_";

/// Returns the permission set of a role of IAM Identity Center, by the name of the role. `None` if it is another role.
///
/// ```
/// use lifeboat_translate::identity::permission_set;
///
/// assert_eq!(permission_set("AWSReservedSSO_Ops_Admin_0123456789abcdef"), Some("Ops_Admin"));
/// assert_eq!(permission_set("AWSReservedSSO_Ops_Admin_*"), None);
/// ```
#[must_use]
pub fn permission_set(role: &str) -> Option<&str> {
    let (name, digits) = role.strip_prefix(PREFIX)?.rsplit_once('_')?;
    let is_made = digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    // CreatePermissionSet, parameter `Name`.
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    let is_name = (1..=32).contains(&name.len()) && name.bytes().all(is_allowed);
    (is_made && is_name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::permission_set;

    #[test]
    fn only_roles_of_identity_center_have_a_permission_set() {
        let long = format!("AWSReservedSSO_{}_0123456789abcdef", "a".repeat(33));
        for (role, expected) in [
            (
                "AWSReservedSSO_AdministratorAccess_0123456789abcdef",
                Some("AdministratorAccess"),
            ),
            ("AWSReservedSSO_a_b_0123456789ABCDEF", Some("a_b")),
            ("AWSReservedSSO__0123456789abcdef", None),
            ("AWSReservedSSO_Admin_0123456789abcde", None),
            ("AWSReservedSSO_Admin_0123456789abcdeg", None),
            ("AWSReservedSSO_0123456789abcdef", None),
            ("AWSReservedSSO_$(id)_0123456789abcdef", None),
            ("Admin_0123456789abcdef", None),
            (long.as_str(), None),
        ] {
            assert_eq!(permission_set(role), expected, "{role}");
        }
    }
}
