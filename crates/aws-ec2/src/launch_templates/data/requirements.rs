//! Attributes that instance types must have.

use aws_sdk_ec2::types;
use serde_json::Value;

use super::{fields, text};

/// Converts the attributes. Their names are those of CloudFormation, with a small first letter.
pub(super) fn requirements(from: &types::InstanceRequirements) -> Option<Value> {
    let range = |min: Option<Value>, max: Option<Value>| fields([("min", min), ("max", max)]);
    let whole = |min: Option<i32>, max: Option<i32>| range(min.map(Value::from), max.map(Value::from));
    let real = |min: Option<f64>, max: Option<f64>| range(min.map(Value::from), max.map(Value::from));
    fields([
        (
            "vCpuCount",
            from.v_cpu_count().and_then(|of| whole(of.min(), of.max())),
        ),
        (
            "memoryMiB",
            from.memory_mib().and_then(|of| whole(of.min(), of.max())),
        ),
        (
            "cpuManufacturers",
            list(from.cpu_manufacturers(), |one| one.as_str()),
        ),
        (
            "memoryGiBPerVCpu",
            from.memory_gib_per_v_cpu()
                .and_then(|of| real(of.min(), of.max())),
        ),
        (
            "excludedInstanceTypes",
            list(from.excluded_instance_types(), String::as_str),
        ),
        (
            "allowedInstanceTypes",
            list(from.allowed_instance_types(), String::as_str),
        ),
        (
            "instanceGenerations",
            list(from.instance_generations(), |one| one.as_str()),
        ),
        (
            "spotMaxPricePercentageOverLowestPrice",
            from.spot_max_price_percentage_over_lowest_price()
                .map(Value::from),
        ),
        (
            "maxSpotPriceAsPercentageOfOptimalOnDemandPrice",
            from.max_spot_price_as_percentage_of_optimal_on_demand_price()
                .map(Value::from),
        ),
        (
            "onDemandMaxPricePercentageOverLowestPrice",
            from.on_demand_max_price_percentage_over_lowest_price()
                .map(Value::from),
        ),
        ("bareMetal", text(from.bare_metal().map(|one| one.as_str()))),
        (
            "burstablePerformance",
            text(from.burstable_performance().map(|one| one.as_str())),
        ),
        (
            "requireHibernateSupport",
            from.require_hibernate_support().map(Value::from),
        ),
        (
            "networkInterfaceCount",
            from.network_interface_count()
                .and_then(|of| whole(of.min(), of.max())),
        ),
        ("localStorage", text(from.local_storage().map(|one| one.as_str()))),
        (
            "localStorageTypes",
            list(from.local_storage_types(), |one| one.as_str()),
        ),
        (
            "totalLocalStorageGB",
            from.total_local_storage_gb()
                .and_then(|of| real(of.min(), of.max())),
        ),
        (
            "baselineEbsBandwidthMbps",
            from.baseline_ebs_bandwidth_mbps()
                .and_then(|of| whole(of.min(), of.max())),
        ),
        (
            "acceleratorTypes",
            list(from.accelerator_types(), |one| one.as_str()),
        ),
        (
            "acceleratorCount",
            from.accelerator_count().and_then(|of| whole(of.min(), of.max())),
        ),
        (
            "acceleratorManufacturers",
            list(from.accelerator_manufacturers(), |one| one.as_str()),
        ),
        (
            "acceleratorNames",
            list(from.accelerator_names(), |one| one.as_str()),
        ),
        (
            "acceleratorTotalMemoryMiB",
            from.accelerator_total_memory_mib()
                .and_then(|of| whole(of.min(), of.max())),
        ),
        (
            "networkBandwidthGbps",
            from.network_bandwidth_gbps()
                .and_then(|of| real(of.min(), of.max())),
        ),
    ])
}

fn list<T>(values: &[T], spelled: impl Fn(&T) -> &str) -> Option<Value> {
    let texts: Vec<Value> = values.iter().map(|one| Value::from(spelled(one))).collect();
    (!texts.is_empty()).then_some(Value::Array(texts))
}
