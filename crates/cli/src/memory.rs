//! The memory that the process has used.

/// Returns the peak of resident memory in bytes, if the system reports it (`VmHWM` in proc(5)).
pub(crate) fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn a_running_process_has_used_memory() {
        assert!(super::peak_bytes().is_some_and(|bytes| bytes > 100_000));
    }
}
