//! Sets the Object Lock configuration of buckets whose stack is complete.

use http::Request;

use super::template::Retention;
use super::{Stacks, named};
use crate::aws::gateway::upstream::{Upstream, UpstreamError};
use crate::aws::gateway::wire::{element, parameter};

impl Stacks {
    /// Sets what a completed stack asks for, at the first response that says that it is complete. Stacks in two
    /// accounts with the same name and Region are not distinguished.
    pub(crate) async fn lock_buckets(
        &self,
        upstream: &Upstream,
        region: &str,
        form: &str,
        xml: &str,
    ) -> Result<(), UpstreamError> {
        let is_complete = element(xml, "StackStatus").is_some_and(|status| status.ends_with("E_COMPLETE"));
        if !is_complete || parameter(form, "Action").as_deref() != Some("DescribeStacks") {
            return Ok(());
        }
        let locks = {
            let mut recorded = self.lock();
            let stack = recorded.get_mut(&(region.to_owned(), named(form, "StackName")));
            stack.map(|stack| std::mem::take(&mut stack.locks))
        };
        for (bucket, retention) in locks.unwrap_or_default() {
            let path = format!("/{bucket}?object-lock");
            let answer = upstream
                .ask_unchecked("s3", region, Request::put(&path), configuration(&retention))
                .await?;
            if !answer.is_success() {
                return Err(UpstreamError::Refused {
                    status: answer.parts.status,
                    body: answer.text(),
                });
            }
        }
        Ok(())
    }
}

fn configuration(Retention { mode, days }: &Retention) -> String {
    format!(
        "<ObjectLockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
         <Mode>{mode}</Mode><Days>{days}</Days></DefaultRetention></Rule></ObjectLockConfiguration>"
    )
}
