//! Checks the files and folders that the variables for trusted certificates name.
//!
//! This happens at the start, because without a certificate every connection would fail, each with a different error.

use std::path::Path;

use rustls::RootCertStore;
use rustls_native_certs::{CertificateResult, ErrorKind, load_certs_from_paths};

const FILE: &str = "SSL_CERT_FILE";
const FOLDERS: &str = "SSL_CERT_DIR";
/// <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html>
pub(super) const BUNDLE: &str = "AWS_CA_BUNDLE";

/// These replace the authorities that are compiled in.
pub(super) const REPLACING: [&str; 2] = [FILE, FOLDERS];

/// All variables that name certificates.
pub const VARIABLES: [&str; 3] = [FILE, FOLDERS, BUNDLE];

/// What these variables may name.
pub const ALLOWED: &str = "certificates of authorities as PEM; unset it to trust the usual ones";

/// The problems of these variables, each with the variable's name.
pub fn problems(environment: &[(String, String)]) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let value = |name: &str| {
        let set = environment.iter().find(|(set, _)| set == name);
        set.map(|(_, value)| value.as_str())
            .filter(|it| !it.trim().is_empty())
    };
    for name in [FILE, BUNDLE] {
        let Some(file) = value(name) else { continue };
        let found = load_certs_from_paths(Some(Path::new(file)), None);
        if let Some(problem) = problem(file, &found) {
            problems.push((name, problem));
        }
    }
    if let Some(folders) = value(FOLDERS) {
        let folders = std::env::split_paths(folders).filter(|it| !it.as_os_str().is_empty());
        let found: Vec<_> = folders
            .map(|folder| {
                (
                    folder.display().to_string(),
                    load_certs_from_paths(None, Some(&folder)),
                )
            })
            .collect();
        let has_any =
            value(FILE).is_some() || found.iter().any(|(_, found)| !found.certs.is_empty());
        // A missing folder is an error. An empty folder is not, if another place has a certificate.
        let wrong = found.iter().find(|(folder, found)| {
            !has_any || !Path::new(folder).is_dir() && found.certs.is_empty()
        });
        if let Some(problem) = wrong.and_then(|(folder, found)| problem(folder, found)) {
            problems.push((FOLDERS, problem));
        }
    }
    problems
}

/// Why a file or a folder gives no certificate of an authority, or `None` if it gives one.
fn problem(path: &str, found: &CertificateResult) -> Option<String> {
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs.iter().cloned());
    if usable > 0 {
        return None;
    }
    Some(match found.errors.first().map(|error| &error.kind) {
        Some(ErrorKind::Io { inner, .. }) => format!("`{path}` cannot be read: {inner}"),
        Some(_) | None => format!("`{path}` holds no certificate"),
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn problems_of(pairs: &[(&str, &Path)]) -> Vec<String> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let environment: Vec<_> = pairs
            .iter()
            .map(|(name, path)| ((*name).to_owned(), text(path)))
            .collect();
        let problems = problems(&environment).into_iter();
        problems
            .map(|(name, problem)| format!("{name}: {problem}"))
            .collect()
    }

    #[test]
    fn a_path_without_certificates_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let (good, empty) = (folder.path().join("good"), folder.path().join("empty"));
        std::fs::create_dir(&good).unwrap();
        std::fs::create_dir(&empty).unwrap();
        let key = KeyPair::generate().unwrap();
        let authority = CertificateParams::new([])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let file = good.join("authority.pem");
        std::fs::write(&file, authority.pem()).unwrap();
        let text = empty.join("text");
        let nowhere = folder.path().join("nosuch");
        for (pairs, expected) in [
            (&[("SSL_CERT_FILE", file.as_path())][..], None),
            (&[("SSL_CERT_DIR", &good)], None),
            (&[("SSL_CERT_FILE", &file), ("SSL_CERT_DIR", &empty)], None),
            (&[("SSL_CERT_FILE", Path::new(""))], None),
            (
                &[("SSL_CERT_FILE", &nowhere)],
                Some("SSL_CERT_FILE: `{}` cannot be read: No such file"),
            ),
            (
                &[("SSL_CERT_FILE", &text)],
                Some("SSL_CERT_FILE: `{}` cannot be read: No such file"),
            ),
            (
                &[("SSL_CERT_FILE", &good)],
                Some("SSL_CERT_FILE: `{}` cannot be read: Is a directory"),
            ),
            (
                &[("SSL_CERT_DIR", &nowhere)],
                Some("SSL_CERT_DIR: `{}` cannot be read: No such file"),
            ),
            (
                &[("SSL_CERT_DIR", &empty)],
                Some("SSL_CERT_DIR: `{}` holds no certificate"),
            ),
            (
                &[("SSL_CERT_FILE", &file), ("SSL_CERT_DIR", &nowhere)],
                Some("SSL_CERT_DIR: `{}` cannot be read: No such file"),
            ),
        ] {
            let found = problems_of(pairs);
            assert_eq!(
                found.len(),
                usize::from(expected.is_some()),
                "{pairs:?}: {found:?}"
            );
            for (found, expected) in found.iter().zip(expected) {
                let (variable, rest) = expected.split_once("`{}`").unwrap();
                assert!(
                    found.starts_with(variable) && found.contains(rest),
                    "{pairs:?}: {found}"
                );
            }
        }
        std::fs::write(&text, "no certificate").unwrap();
        let found = problems_of(&[("SSL_CERT_FILE", &text)]);
        assert!(found[0].contains("holds no certificate"), "{found:?}");
    }
}
