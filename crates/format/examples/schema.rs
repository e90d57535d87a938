//! Prints the JSON schema of the manifest's payload.

fn main() {
    let schema = lifeboat_format::manifest::schema();
    println!("{schema:#}");
}
