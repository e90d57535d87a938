"""The software bill of materials of the archives, in CycloneDX 1.6, from what cargo says.

cargo-cyclonedx would be compiled for minutes, with a dependency tree as large as that of the program, for a document
that cargo holds all the facts of; and it writes one file per crate of the workspace, where an archive needs one.
Source of the fields: https://cyclonedx.org/docs/1.6/json/.
"""

import datetime
import json
import re
import subprocess
import uuid

ROOTS = ["lifeboat-cli", "lifeboat-coordinator", "lifeboat-delegate"]
# A line of `cargo tree --prefix depth`, such as `2serde v1.0.0 (proc-macro) (*)`.
LINE = re.compile(r"^(\d+)(\S+) v(\S+)(.*)$")


def cargo(root, *arguments):
    command = ["cargo", *arguments]
    return subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout


def tree(root, triple):
    """What is compiled into the programs: packages, which of them are macros, and who needs whom."""
    packages, macros, edges = set(), set(), set()
    for name in ROOTS:
        path = []
        output = cargo(root, "tree", "--locked", "-p", name, "-e", "normal", "--target", triple, "--prefix", "depth")
        for line in output.splitlines():
            depth, package, version, rest = LINE.match(line).groups()
            found = (package, version)
            packages.add(found)
            if "(proc-macro)" in rest:
                macros.add(found)
            del path[int(depth):]
            if path:
                edges.add((path[-1], found))
            path.append(found)
    return packages, macros, edges


def checksums(root):
    """The SHA-256 of each package of the registry, as Cargo.lock has it."""
    field = re.compile(r'^(name|version|checksum) = "(.*)"$', re.M)
    blocks = (root / "Cargo.lock").read_text().split("[[package]]")[1:]
    found = [dict(field.findall(block)) for block in blocks]
    return {(block["name"], block["version"]): block["checksum"] for block in found if "checksum" in block}


def document(root, version, triples, time):
    """The document as bytes, for programs of these targets of Rust."""
    packages, macros, edges, described = set(), set(), set(), {}
    for triple in triples:
        for all_of_them, more in zip((packages, macros, edges), tree(root, triple)):
            all_of_them |= more
        metadata = json.loads(cargo(root, "metadata", "--locked", "--format-version", "1", "--filter-platform", triple))
        described |= {(package["name"], package["version"]): package for package in metadata["packages"]}
    sums = checksums(root)

    def purl(package):
        return f"pkg:cargo/{package[0]}@{package[1].replace('+', '%2B')}"

    components = []
    for package in sorted(packages):
        component = {"type": "library", "bom-ref": purl(package), "name": package[0], "version": package[1]}
        if package in macros:
            # It runs in the compiler and is not part of the programs.
            component["scope"] = "excluded"
        if package in sums:
            component["hashes"] = [{"alg": "SHA-256", "content": sums[package]}]
        if described[package]["license"]:
            # Old manifests separate licenses by a slash, which is not valid in SPDX expressions.
            component["licenses"] = [{"expression": described[package]["license"].replace("/", " OR ")}]
        component["purl"] = purl(package)
        if described[package]["repository"]:
            component["externalReferences"] = [{"type": "vcs", "url": described[package]["repository"]}]
        components.append(component)
    dependencies = [
        {"ref": purl(package), "dependsOn": sorted(purl(to) for of, to in edges if of == package)}
        for package in sorted(packages)
    ]
    own = f"pkg:generic/lifeboat@{version}"
    roots = sorted(purl(package) for package in packages if package[0] in ROOTS)
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(time, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "lifeboat",
                "version": version,
                "licenses": [{"expression": "Apache-2.0"}],
                "purl": own,
            },
        },
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": roots}, *dependencies],
    }
    # The same content has the same serial number.
    content = json.dumps(bom, sort_keys=True)
    bom["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"
    return (json.dumps(bom, indent=2) + "\n").encode()
