//! Several resources at a time.

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use lifeboat_aws::AwsError;

/// How many resources are read at a time. A resource of IAM takes five calls of some 50 ms, so 200 roles take about ten
/// seconds; more at a time would only be throttled.
const AT_A_TIME: usize = 4;

/// Reads each item, and returns what is found in the order of the items.
pub(crate) async fn each<'a, I, T>(
    items: impl IntoIterator<Item = I>,
    read: impl Fn(I) -> BoxFuture<'a, Result<Option<T>, AwsError>>,
) -> Result<Vec<T>, AwsError> {
    let reads: Vec<BoxFuture<'a, Result<Option<T>, AwsError>>> = items.into_iter().map(read).collect();
    let found: Vec<Option<T>> = stream::iter(reads).buffered(AT_A_TIME).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}
