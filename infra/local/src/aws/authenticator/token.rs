//! Parses tokens as aws-iam-authenticator does (`pkg/token/token.go`, `Verify`): a token is a
//! presigned GetCallerIdentity request in base64, which is checked before it is sent to STS.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;

use crate::aws::gateway::wire::parameters;

const PREFIX: &str = "k8s-aws-v1.";
/// In bytes. Longer tokens are refused before they are decoded.
const LONGEST: usize = 4 << 10;
/// The header that binds a token to one cluster.
pub(crate) const CLUSTER_HEADER: &str = "x-k8s-aws-id";
/// The longest `X-Amz-Expires`, in seconds.
const LONGEST_EXPIRY: u32 = 900;
/// How long a token is valid after its signing date, in seconds. STS ignores `X-Amz-Expires`.
pub(crate) const LIFETIME: u64 = 15 * 60;

/// The query parameters that a token may contain besides those of the signature.
const PARAMETERS: &[&str] = &[
    "action",
    "version",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

/// The reason why a token is refused, in the words of aws-iam-authenticator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("input token was not properly formatted: {0}")]
pub(crate) struct MalformedToken(pub(crate) String);

/// A token that passed the checks and may be sent to STS.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// The host in the signature.
    pub(crate) host: String,
    /// The path and query of the request to STS.
    pub(crate) path_and_query: String,
    /// The Region in the signature.
    pub(crate) region: String,
    /// The caller's access key id.
    pub(crate) access_key_id: String,
    /// The signing time, in seconds since 1970.
    pub(crate) signed_at: u64,
}

impl Token {
    /// Parses a token. `gateway` is the address of the local AWS: a client whose endpoint is the
    /// local AWS signs for this host instead of a host of AWS.
    pub(crate) fn parse(text: &str, gateway: &str, now: u64) -> Result<Self, MalformedToken> {
        let wrong = |why: &str| MalformedToken(why.to_owned());
        if text.len() > LONGEST {
            return Err(wrong("token is too large"));
        }
        let encoded = text
            .strip_prefix(PREFIX)
            .ok_or_else(|| wrong(&format!("token is missing expected {PREFIX:?} prefix")))?;
        let decoded = URL_SAFE_NO_PAD
            .decode(encoded)
            .map_err(|error| wrong(&error.to_string()))?;
        let uri: Uri = std::str::from_utf8(&decoded)
            .map_err(|error| wrong(&error.to_string()))?
            .parse()
            .map_err(|_| wrong("not a URL"))?;
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let is_local = uri.scheme_str() == Some("http") && host == gateway;
        if !is_local && uri.scheme_str() != Some("https") {
            return Err(wrong("unexpected scheme in pre-signed URL"));
        }
        if !is_local && !is_sts(host) {
            return Err(wrong("unexpected hostname in pre-signed URL"));
        }
        if uri.path() != "/" {
            return Err(wrong("unexpected path in pre-signed URL"));
        }
        let query = Query::parse(uri.query().unwrap_or_default())?;
        if query.get("action")? != "GetCallerIdentity" {
            return Err(wrong("unexpected action parameter in pre-signed URL"));
        }
        let signed_headers = query.get("x-amz-signedheaders")?;
        if !signed_headers
            .split(';')
            .any(|header| header.eq_ignore_ascii_case(CLUSTER_HEADER))
        {
            return Err(wrong(&format!(
                "client did not sign the {CLUSTER_HEADER} header in the pre-signed URL"
            )));
        }
        let expires: u32 = query
            .get("x-amz-expires")?
            .parse()
            .map_err(|_| wrong("invalid X-Amz-Expires parameter in pre-signed URL"))?;
        if expires > LONGEST_EXPIRY {
            return Err(wrong("invalid X-Amz-Expires parameter in pre-signed URL"));
        }
        let signed_at = seconds(query.get("x-amz-date")?)
            .ok_or_else(|| wrong("error parsing X-Amz-Date parameter into format"))?;
        if now > signed_at + LIFETIME {
            return Err(wrong("X-Amz-Date parameter is expired (15m0s)"));
        }
        let credential = query.get("x-amz-credential")?;
        let mut scope = credential.split('/');
        let access_key_id = scope.next().unwrap_or_default().to_owned();
        let region = scope.nth(1).unwrap_or_default().to_owned();
        Ok(Self {
            host: host.to_owned(),
            path_and_query: format!("/?{}", uri.query().unwrap_or_default()),
            region,
            access_key_id,
            signed_at,
        })
    }
}

struct Query(Vec<(String, String)>);

impl Query {
    fn parse(query: &str) -> Result<Self, MalformedToken> {
        let mut seen: Vec<(String, String)> = Vec::new();
        for (name, value) in parameters(query) {
            let name = name.to_ascii_lowercase();
            if !PARAMETERS.contains(&name.as_str()) {
                return Err(MalformedToken(format!(
                    "non-whitelisted query parameter {name:?}"
                )));
            }
            if seen.iter().any(|(other, _)| *other == name) {
                return Err(MalformedToken(
                    "query parameter with multiple values not supported".into(),
                ));
            }
            seen.push((name, value));
        }
        Ok(Self(seen))
    }

    fn get(&self, name: &str) -> Result<&str, MalformedToken> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .ok_or_else(|| MalformedToken(format!("missing {name} parameter in pre-signed URL")))
    }
}

/// Returns whether a host belongs to STS: the global one or a Region's, also with the suffix of the
/// China partition.
fn is_sts(host: &str) -> bool {
    let Some(rest) = host
        .strip_prefix("sts.")
        .or_else(|| host.strip_prefix("sts-fips."))
    else {
        return false;
    };
    if rest == "amazonaws.com" {
        return true;
    }
    let region = rest
        .strip_suffix(".amazonaws.com")
        .or_else(|| rest.strip_suffix(".amazonaws.com.cn"));
    region.is_some_and(|region| {
        !region.is_empty()
            && region
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    })
}

/// Parses a date such as `20261121T112233Z`, in seconds since 1970.
fn seconds(date: &str) -> Option<u64> {
    let bytes = date.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' || !date.is_ascii() {
        return None;
    }
    let number = |range: std::ops::Range<usize>| date.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(9..11)?, number(11..13)?, number(13..15)?);
    if !(1970..=9999).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    // Days of the civil calendar, with years that begin in March, so that a leap day is the last day of its year.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    // The number of days from 1 March of the year 0 to 1 January 1970.
    let days = days.checked_sub(719_468)?;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_260_153; // 2026-11-21T11:22:33Z
    const GATEWAY: &str = "127.0.0.1:4566";

    fn url(host: &str, more: &str) -> String {
        format!(
            "https://{host}/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=FSIA1%2F20261121%2Feu-west-1%2Fsts%2Faws4_request&X-Amz-Date=20261121T112233Z\
             &X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=ab{more}"
        )
    }

    fn encoded(url: &str) -> String {
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(url))
    }

    fn parse(url: &str) -> Result<Token, MalformedToken> {
        Token::parse(&encoded(url), GATEWAY, NOW)
    }

    #[test]
    fn a_good_token_is_read() {
        let token = parse(&url("sts.eu-west-1.amazonaws.com", "")).unwrap();
        assert_eq!(token.host, "sts.eu-west-1.amazonaws.com");
        assert_eq!(token.region, "eu-west-1");
        assert_eq!(token.access_key_id, "FSIA1");
        assert_eq!(token.signed_at, NOW);
        let local = url(GATEWAY, "").replacen("https", "http", 1);
        assert_eq!(parse(&local).unwrap().host, GATEWAY);
    }

    #[test]
    fn a_token_is_good_for_fifteen_minutes() {
        let token = encoded(&url("sts.amazonaws.com", ""));
        assert!(Token::parse(&token, GATEWAY, NOW + LIFETIME).is_ok());
        let late = Token::parse(&token, GATEWAY, NOW + LIFETIME + 1);
        assert!(late.is_err_and(|error| error.0.contains("expired")));
    }

    #[test]
    fn what_the_authenticator_refuses_is_refused() {
        let good = url("sts.eu-west-1.amazonaws.com", "");
        for (wrong, why) in [
            (good.replacen("https", "http", 1), "scheme"),
            (url("sts.evil.example.com", ""), "hostname"),
            (url("sts.amazonaws.com.evil.com", ""), "hostname"),
            (good.replace("/?", "/x?"), "path"),
            (good.replace("GetCallerIdentity", "AssumeRole"), "action"),
            (
                url("sts.eu-west-1.amazonaws.com", "&RoleArn=x"),
                "non-whitelisted",
            ),
            (
                url("sts.eu-west-1.amazonaws.com", "&Action=AssumeRole"),
                "multiple values",
            ),
            (good.replace("%3Bx-k8s-aws-id", ""), "did not sign"),
            (good.replace("Expires=60", "Expires=901"), "X-Amz-Expires"),
            (good.replace("Expires=60", "Expires=-1"), "X-Amz-Expires"),
            (good.replace("20261121T112233Z", "yesterday"), "X-Amz-Date"),
        ] {
            let error = parse(&wrong).err().unwrap();
            assert!(error.0.contains(why), "{wrong}: {error}");
        }
        assert!(Token::parse("k8s-aws-v2.x", GATEWAY, NOW).is_err());
        assert!(Token::parse("k8s-aws-v1.?", GATEWAY, NOW).is_err());
        let long = format!("{PREFIX}{}", "A".repeat(LONGEST));
        assert!(Token::parse(&long, GATEWAY, NOW).is_err());
    }

    #[test]
    fn dates_are_counted_as_the_calendar_does() {
        assert_eq!(seconds("19700101T000000Z"), Some(0));
        assert_eq!(seconds("20000229T000000Z"), Some(951_782_400));
        assert_eq!(seconds("20261121T112233Z"), Some(NOW));
        for wrong in ["", "20261121T112233", "20261321T112233Z", "20261121T242233Z"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
