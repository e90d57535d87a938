//! Lambda identifies an operation by method and path.

use http::Method;
use http::request::Parts;

use super::{Need, segments};

pub(super) fn need(region: &str, account: &str, parts: &Parts) -> Need {
    let segments = segments(parts.uri.path());
    // The first segment is the version of the API.
    let path: Vec<&str> = segments.iter().skip(1).map(String::as_str).collect();
    let method = &parts.method;
    let (operation, name) = match (method.as_str(), path.as_slice()) {
        ("GET", ["functions"]) => ("ListFunctions", None),
        ("POST", ["functions"]) => ("CreateFunction", None),
        ("POST", ["functions", name, "invocations"]) => ("InvokeFunction", Some(*name)),
        ("GET", ["functions", name]) => ("GetFunction", Some(*name)),
        ("DELETE", ["functions", name]) => ("DeleteFunction", Some(*name)),
        ("GET", ["functions", name, "configuration"]) => ("GetFunctionConfiguration", Some(*name)),
        ("PUT", ["functions", name, "configuration"]) => ("UpdateFunctionConfiguration", Some(*name)),
        ("PUT", ["functions", name, "code"]) => ("UpdateFunctionCode", Some(*name)),
        ("GET", ["functions", name, "policy"]) => ("GetPolicy", Some(*name)),
        ("POST", ["functions", name, "policy"]) => ("AddPermission", Some(*name)),
        ("DELETE", ["functions", name, "policy", _]) => ("RemovePermission", Some(*name)),
        ("PUT", ["functions", name, "concurrency"]) => ("PutFunctionConcurrency", Some(*name)),
        (_, ["tags", arn]) => {
            let verb = match *method {
                Method::GET => "ListTags",
                Method::POST => "TagResource",
                _ => "UntagResource",
            };
            (verb, Some(*arn))
        }
        _ => ("Unknown", None),
    };
    let resource = match name {
        Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
        Some(name) => format!("arn:aws:lambda:{region}:{account}:function:{name}"),
        None => "*".to_owned(),
    };
    Need::new(&format!("lambda:{operation}"), resource)
}
