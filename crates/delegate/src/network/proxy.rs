//! Proxies of the client of S3, which takes them from the environment as curl does
//! (<https://docs.aws.amazon.com/sdk-for-rust/latest/dg/proxy.html>).

use std::collections::BTreeMap;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

/// Returns the name of the variable whose proxy the client uses for a URL. Its value may contain a password.
pub(super) fn variable(variables: &BTreeMap<String, String>, url: &str) -> Option<String> {
    let url: Uri = url.parse().ok()?;
    let own = match url.scheme_str() {
        Some("http") => ["HTTP_PROXY", "http_proxy"],
        _ => ["HTTPS_PROXY", "https_proxy"],
    };
    let names = own.into_iter().chain(["ALL_PROXY", "all_proxy"]);
    let mut set = names.filter_map(|name| Some((name, variables.get(name)?)));
    let (name, proxy) = set.find(|(_, proxy)| !proxy.is_empty())?;
    let mut exceptions = ["NO_PROXY", "no_proxy"].into_iter();
    let exceptions = exceptions.find_map(|name| variables.get(name).cloned());
    let matcher = Matcher::builder()
        .all(proxy.clone())
        .no(exceptions.unwrap_or_default())
        .build();
    matcher.intercept(&url).map(|_| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_named_if_the_client_uses_its_proxy() {
        let url = "https://s3.eu-west-1.amazonaws.com";
        let proxy = "http://user:password@proxy.example:3128";
        let used = |set: &[(&str, &str)]| {
            let set = set
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            variable(&set.collect(), url)
        };
        assert_eq!(used(&[]), None);
        assert_eq!(used(&[("HTTPS_PROXY", "")]), None);
        assert_eq!(used(&[("HTTP_PROXY", proxy)]), None);
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
            assert_eq!(used(&[(name, proxy)]).as_deref(), Some(name));
            assert_eq!(
                used(&[(name, proxy), ("NO_PROXY", "s3.eu-west-1.amazonaws.com")]),
                None
            );
            assert_eq!(
                used(&[(name, proxy), ("no_proxy", "10.0.0.0/8,.amazonaws.com")]),
                None
            );
        }
    }
}
