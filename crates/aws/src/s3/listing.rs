//! Listings. Others may write to the bucket, so keys that are not valid object keys are skipped. Names are transferred
//! percent-encoded, because XML cannot represent every character that a key may contain.

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::operation::list_objects_v2::builders::ListObjectsV2FluentBuilder;
use aws_sdk_s3::types::EncodingType;
use lifeboat_model::ObjectKey;
use lifeboat_store::listing::MAX_KEYS;
use lifeboat_store::ports::{Listed, StoreError, StoreOperation};

use percent_encoding::percent_decode_str;

use super::Inner;
use super::error::RequestContext;

impl Inner {
    fn list_request(&self, prefix: &str) -> ListObjectsV2FluentBuilder {
        (self.client.list_objects_v2())
            .bucket(&self.location.bucket)
            .expected_bucket_owner(self.location.owner.as_str())
            .encoding_type(EncodingType::Url)
            .prefix(format!("{}{prefix}", self.location.prefix))
    }

    pub(super) async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let asked = self.asked(StoreOperation::List, "s3:ListBucket", prefix);
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        while found.len() < limit {
            let size = i32::try_from((limit - found.len()).min(MAX_KEYS)).expect("a page is small");
            let request = self.list_request(prefix).max_keys(size);
            let request = match (&token, after) {
                (Some(token), _) => request.continuation_token(token),
                (None, Some(after)) => request.start_after(format!("{}{after}", self.location.prefix)),
                (None, None) => request,
            };
            let answer = request.send().await.map_err(|e| asked.error(e))?;
            for object in answer.contents() {
                let Some(key) = self.own_key(&answer, object.key().unwrap_or_default()) else {
                    continue;
                };
                let size = object.size().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
                found.push(Listed { key, size });
            }
            token = next(&answer, &asked)?;
            if token.is_none() {
                break;
            }
        }
        Ok(found)
    }

    pub(super) async fn list_folders_after(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let asked = self.asked(StoreOperation::List, "s3:ListBucket", prefix);
        // The character after `/`: the keys of the folder itself sort before it.
        let after = after.map(|after| format!("{}{prefix}{after}0", self.location.prefix));
        let mut found: Vec<String> = Vec::new();
        let mut token: Option<String> = None;
        while found.len() < limit {
            let size = i32::try_from((limit - found.len()).min(MAX_KEYS)).expect("a page is small");
            let request = self.list_request(prefix).delimiter("/").max_keys(size);
            let request = match (&token, &after) {
                (Some(token), _) => request.continuation_token(token),
                (None, Some(after)) => request.start_after(after),
                (None, None) => request,
            };
            let answer = request.send().await.map_err(|e| asked.error(e))?;
            for common in answer.common_prefixes() {
                let text = decoded(&answer, common.prefix().unwrap_or_default());
                let folder = text.strip_suffix('/').unwrap_or(&text);
                let Some(key) = folder.strip_prefix(self.location.prefix.as_str()) else {
                    continue;
                };
                // A parsed key has no empty segment, so a folder without a name is skipped.
                if let (Ok(_), Some(name)) = (ObjectKey::parse(key), key.strip_prefix(prefix)) {
                    found.push(name.to_owned());
                }
            }
            token = next(&answer, &asked)?;
            if token.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn own_key(&self, answer: &ListObjectsV2Output, text: &str) -> Option<ObjectKey> {
        let name = decoded(answer, text);
        ObjectKey::parse(name.strip_prefix(self.location.prefix.as_str())?).ok()
    }
}

/// Returns the continuation token, if there are more pages.
fn next(answer: &ListObjectsV2Output, asked: &RequestContext) -> Result<Option<String>, StoreError> {
    if answer.is_truncated() != Some(true) {
        return Ok(None);
    }
    match answer.next_continuation_token() {
        Some(token) => Ok(Some(token.to_owned())),
        None => {
            let what = "a page of the listing is truncated but has no continuation token";
            let error = crate::AwsError::unexpected(asked.action, &asked.url, what);
            Err(asked.failure(error))
        }
    }
}

/// Returns a name as it is in the bucket. The answer reports whether its names are encoded.
fn decoded(answer: &ListObjectsV2Output, text: &str) -> String {
    if answer.encoding_type() == Some(&EncodingType::Url) {
        percent_decoded(text)
    } else {
        text.to_owned()
    }
}

/// Decodes form encoding, which S3 uses. Invalid sequences stay unchanged: the result is not a valid key then.
fn percent_decoded(text: &str) -> String {
    let spaces = text.replace('+', " ");
    percent_decode_str(&spaces).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_and_what_is_not_encoded_stays() {
        for (encoded, name) in [
            ("shop/points/a-b_c.d", "shop/points/a-b_c.d"),
            ("shop%2Fpoints", "shop/points"),
            ("a+b%2Bc%01", "a b+c\u{1}"),
            ("%C3%BC%", "ü%"),
            ("%zz%4", "%zz%4"),
            ("", ""),
        ] {
            assert_eq!(percent_decoded(encoded), name);
        }
    }
}
