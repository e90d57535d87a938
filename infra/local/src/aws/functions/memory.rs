//! The memory use of a function. A limit on its address space would be wrong: runtimes reserve far
//! more than they use, and Lambda counts what is used.

const KIB_PER_MIB: u64 = 1024;

/// The memory of a process and its children now, and the sum of their peaks, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) now_kib: u64,
    pub(super) peak_kib: u64,
}

impl Memory {
    pub(super) fn peak_mib(self) -> u64 {
        self.peak_kib.div_ceil(KIB_PER_MIB)
    }

    pub(super) fn exceeds(self, limit_mib: u64) -> bool {
        self.now_kib > limit_mib * KIB_PER_MIB || self.peak_kib > limit_mib * KIB_PER_MIB
    }
}

/// Reads the memory use from the kernel; nothing if the process has ended.
pub(super) fn of(process: u32) -> Option<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let own = parse(&status)?;
    let children = children(process).into_iter().filter_map(of);
    Some(children.fold(own, |sum, child| Memory {
        now_kib: sum.now_kib + child.now_kib,
        peak_kib: sum.peak_kib + child.peak_kib,
    }))
}

fn children(process: u32) -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else {
        return Vec::new();
    };
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok())
        .flat_map(|list| {
            list.split_ascii_whitespace()
                .filter_map(|child| child.parse().ok())
                .collect::<Vec<u32>>()
        })
        .collect()
}

fn parse(status: &str) -> Option<Memory> {
    let field = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    };
    Some(Memory {
        now_kib: field("VmRSS:")?,
        peak_kib: field("VmHWM:")?,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn this_process_holds_something() {
        let memory = of(std::process::id()).unwrap();
        assert!(memory.now_kib > 100 && memory.peak_kib >= 100, "{memory:?}");
        assert!(memory.exceeds(0) && !memory.exceeds(1 << 20));
        assert_eq!(of(u32::MAX), None);
    }

    #[test]
    fn what_the_kernel_writes_is_read() {
        let status = "Name:\tx\nVmHWM:\t    2049 kB\nVmRSS:\t    1024 kB\n";
        let memory = parse(status).unwrap();
        assert_eq!((memory.now_kib, memory.peak_kib), (1024, 2049));
        assert_eq!(memory.peak_mib(), 3);
        assert_eq!(parse("Name:\tx\n"), None);
    }
}
