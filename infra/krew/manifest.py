"""Fills in the manifest for krew."""

# Reserved for documentation (RFC 2606). `kubectl krew install --manifest=… --archive=…` does not use it.
EXAMPLE_URL = "https://example.com/lifeboat"

# The names of architectures in Go (GOARCH), which krew uses.
PROCESSORS = {"x86_64": "amd64", "arm64": "arm64"}

BEGIN = "  # One entry for each archive.\n"


def fill(template, version, url, sums):
    """The manifest of the archives with these SHA-256 sums by platform."""
    head, entry = template.split(BEGIN)
    entries = []
    for name, digest in sorted(sums.items()):
        system, processor = name.split("-")
        filled = entry.replace("@OS@", system).replace("@ARCH@", PROCESSORS[processor])
        entries.append(filled.replace("@PLATFORM@", name).replace("@SHA256@", digest).replace("@URL@", url.rstrip("/")))
    return (head + "".join(entries)).replace("@VERSION@", version)
