//! URLs: one identifier from the scheme to the end. A URL is translated if its host is; the path of another host says
//! nothing about the primary.

use super::compiled::Compiled;
use super::host::AwsHost;
use super::kind::Kind;
use super::span;
use super::text::Edit;
use crate::rule::Rule;

/// A URL, taken apart.
#[derive(Debug, Clone, Copy)]
struct Parts<'a> {
    scheme: &'a str,
    /// Before the host: user and password.
    user: &'a str,
    host: &'a str,
    /// Everything behind the host: port, path, query.
    rest: &'a str,
}

/// The resource that the path behind the endpoint of a service names.
enum Named {
    /// It names none.
    Nothing,
    /// Its counterpart is not known.
    Unknown,
    /// What is behind the host, with the counterpart.
    Known(String),
}

fn parse(url: &str) -> Option<Parts<'_>> {
    let colon = url.find("://")?;
    let (scheme, after) = (&url[..colon], &url[colon + 3..]);
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let authority = &after[..end];
    let user = authority.rfind('@').map_or(0, |at| at + 1);
    let host = authority[user..].split(':').next().unwrap_or_default();
    Some(Parts {
        scheme,
        user: &authority[..user],
        host,
        rest: &after[user + host.len()..],
    })
}

impl Compiled {
    /// Translates a URL and records the parts that changed. `None` if it stays.
    pub(super) fn url(&self, url: &str, edits: &mut Vec<Edit>) -> Option<String> {
        let parts = parse(url)?;
        let Parts {
            scheme,
            user,
            host,
            rest,
        } = parts;
        if let Some(to) = self.issuer(parts) {
            return self.replaced(url, to, Rule::Host, edits);
        }
        match scheme {
            "s3" | "s3a" | "s3n" => {
                let bucket = self.named(Kind::Bucket, host)?;
                return self.replaced(url, format!("{scheme}://{bucket}{rest}"), Rule::Url, edits);
            }
            // Provider ids of nodes and volumes: `aws:///eu-west-1a/i-0…`, `aws://eu-west-1a/vol-0…`.
            "aws" => {
                let ids = self.rewrite(&url["aws://".len()..], edits)?;
                return Some(format!("aws://{ids}"));
            }
            _ => {}
        }
        let (to, rule) = self.host(host)?;
        let service = AwsHost::parse(host, self.primary.region.as_str()).and_then(|host| host.service());
        let named = match service {
            Some("sqs") => self.queue(rest),
            Some("s3" | "s3-fips") => self.bucket_path(rest),
            _ => Named::Nothing,
        };
        match named {
            Named::Unknown => None,
            Named::Known(rest) => {
                self.replaced(url, format!("{scheme}://{user}{to}{rest}"), Rule::Url, edits)
            }
            Named::Nothing => {
                let before = edits.len();
                edits.push(Edit::new(host, to.as_str(), rule));
                let rest = self.rewrite(rest, edits).unwrap_or_else(|| rest.to_owned());
                // Behind the endpoint of a service is a resource of that Region: a user pool, an API.
                if service.is_some() && self.has_leftovers(&rest) {
                    edits.truncate(before);
                    return None;
                }
                Some(format!("{scheme}://{user}{to}{rest}"))
            }
        }
    }

    /// Whether the map says that the host of a URL is valid on both sides.
    pub(super) fn is_valid_url(&self, url: &str) -> bool {
        parse(url).is_some_and(|parts| self.is_counterpart(parts.host))
    }

    fn replaced(&self, url: &str, to: String, rule: Rule, edits: &mut Vec<Edit>) -> Option<String> {
        (to != url).then(|| {
            edits.push(Edit::new(url, to.clone(), rule));
            to
        })
    }

    /// Returns the URL of an issuer that the map lists.
    fn issuer(&self, parts: Parts<'_>) -> Option<String> {
        let Parts {
            scheme,
            user,
            host,
            rest,
        } = parts;
        let path = rest.trim_end_matches('/');
        let known = rest.starts_with("/id/").then(|| format!("{host}{path}"))?;
        let (kind, to) = self.token(&known)?;
        (kind == Kind::Issuer).then(|| format!("{scheme}://{user}{to}{}", &rest[path.len()..]))
    }

    /// Translates the path of a queue, `/111111111111/orders`, by the rules of its ARN.
    fn queue(&self, rest: &str) -> Named {
        let path = &rest[rest.find('/').unwrap_or(rest.len())..];
        let mut parts = path.splitn(3, '/').skip(1);
        let (Some(account), Some(name)) = (parts.next(), parts.next()) else {
            return Named::Nothing;
        };
        let end = name.find(['?', '#']).unwrap_or(name.len());
        let is_name = name[..end]
            .bytes()
            .all(|b| span::is_token_byte(b) || matches!(b, b'.' | b'*'));
        if !is_name {
            return Named::Unknown;
        }
        let (partition, region) = (self.primary.region.partition(), &self.primary.region);
        let arn = self.arn(&format!(
            "arn:{partition}:sqs:{region}:{account}:{}",
            &name[..end]
        ));
        let Some((arn, _)) = arn else {
            return Named::Unknown;
        };
        let mut new = arn.rsplitn(3, ':');
        let (Some(queue), Some(account)) = (new.next(), new.next()) else {
            return Named::Unknown;
        };
        let port = &rest[..rest.len() - path.len()];
        Named::Known(format!("{port}/{account}/{queue}{}", &name[end..]))
    }

    /// Translates a path that begins with a bucket, `/shop-media/file`.
    fn bucket_path(&self, rest: &str) -> Named {
        let start = rest.find('/').map_or(rest.len(), |at| at + 1);
        let end = rest[start..]
            .find(['/', '?', '#'])
            .map_or(rest.len(), |at| start + at);
        if start == end {
            return Named::Nothing;
        }
        match self.named(Kind::Bucket, &rest[start..end]) {
            Some(bucket) => Named::Known(format!("{}{bucket}{}", &rest[..start], &rest[end..])),
            None => Named::Unknown,
        }
    }
}
