//! Where symlinks may lead: nowhere but into the mounted directory.
//!
//! The kernel follows a link's text on this machine. A server that says `passwd -> /etc/passwd` would make programs
//! read the wrong machine's file; so absolute targets are turned into relative ones inside the mount, and what leads
//! out of it is refused.
//!
//! A `..` behind a name is dangerous by itself: the name may be a link, and the kernel would go up from where that leads.
//! Such a text is shortened to steps up at its beginning, which start in the link's own directory, and names behind them.

use crate::remote::RemotePath;

/// The text for `readlink(2)` of the link `name` in `dir`; `root` is the mounted directory. None where it leads out.
pub(crate) fn contain(root: &RemotePath, dir: &RemotePath, target: &[u8]) -> Option<Vec<u8>> {
    if target.is_empty() || target.contains(&0) {
        return None;
    }
    let below = components(dir).strip_prefix(&components(root)[..])?.to_vec();
    if let Some(b'/') = target.first() {
        let target = RemotePath::new(target)?;
        let inside = components(&target).strip_prefix(&components(root)[..])?.to_vec();
        // As few steps up as it takes: servers that make a relative target absolute (ProFTPD 1.3.8, `SITE SYMLINK`) are
        // undone by this.
        let common = below.iter().zip(&inside).take_while(|(a, b)| a == b).count();
        let mut text: Vec<&[u8]> = below[common..].iter().map(|_| &b".."[..]).collect();
        text.extend(inside[common..].iter().map(Vec::as_slice));
        return Some(if text.is_empty() { b".".to_vec() } else { text.join(&b'/') });
    }
    let mut up = 0;
    let mut down: Vec<&[u8]> = Vec::new();
    let mut winding = false;
    for part in target.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." if down.pop().is_some() => winding = true,
            b".." => up += 1,
            part => down.push(part),
        }
    }
    if up > below.len() {
        return None;
    }
    if !winding {
        return Some(target.to_vec());
    }
    let mut text = vec![&b".."[..]; up];
    text.extend(down);
    Some(if text.is_empty() { b".".to_vec() } else { text.join(&b'/') })
}

fn components(path: &RemotePath) -> Vec<Vec<u8>> {
    path.as_bytes().split(|&b| b == b'/').filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(root: &str, dir: &str, target: &str) -> Option<String> {
        let path = |s: &str| RemotePath::new(s.as_bytes()).expect("valid");
        contain(&path(root), &path(dir), target.as_bytes()).map(|t| String::from_utf8(t).expect("ascii"))
    }

    #[test]
    fn links_inside_stay_as_they_are() {
        assert_eq!(shown("/", "/a/b", "../c").as_deref(), Some("../c"));
        assert_eq!(shown("/pub", "/pub/a", "x y/./z").as_deref(), Some("x y/./z"));
    }

    #[test]
    fn absolute_targets_become_relative() {
        assert_eq!(shown("/", "/a/b", "/c/d").as_deref(), Some("../../c/d"));
        assert_eq!(shown("/pub", "/pub", "/pub/x").as_deref(), Some("x"));
        assert_eq!(shown("/", "/a/b", "/a/b/c").as_deref(), Some("c"));
        assert_eq!(shown("/", "/a/b", "/a/c").as_deref(), Some("../c"));
        assert_eq!(shown("/", "/a/b", "/a/b").as_deref(), Some("."));
        assert_eq!(shown("/pub", "/pub", "/pub/").as_deref(), Some("."));
    }

    #[test]
    fn no_step_up_stands_behind_a_name() {
        // With `b -> ../../../../..`, five directories deep, the kernel went to the root by way of `b` and on upwards.
        assert_eq!(shown("/", "/1/2/3/4/5", "b/../../../etc/passwd").as_deref(), Some("../../etc/passwd"));
        assert_eq!(shown("/", "/a", "b/..").as_deref(), Some("."));
        assert_eq!(shown("/", "/a", "b/../c//d/").as_deref(), Some("c/d"));
    }

    proptest::proptest! {
        /// Whatever a server says: steps up come first, and never more of them than lead to the mounted directory.
        #[test]
        fn nothing_leads_out(target in proptest::collection::vec(proptest::sample::select(b"ab./".to_vec()), 0..30)) {
            let path = |s: &str| RemotePath::new(s.as_bytes()).expect("valid");
            if let Some(text) = contain(&path("/pub"), &path("/pub/x/y"), &target) {
                let parts: Vec<_> = text.split(|&b| b == b'/').filter(|p| !matches!(*p, b"" | b".")).collect();
                let up = parts.iter().take_while(|p| **p == b"..").count();
                proptest::prop_assert!(up <= 2 && !text.starts_with(b"/"));
                proptest::prop_assert!(!parts[up..].contains(&&b".."[..]));
            }
        }
    }

    #[test]
    fn links_that_lead_out_are_refused() {
        assert_eq!(shown("/pub", "/pub/a", "/etc/passwd"), None);
        assert_eq!(shown("/pub", "/pub/a", "../../etc"), None);
        assert_eq!(shown("/pub", "/pub/a", "b/../../../x"), None);
        assert_eq!(shown("/", "/a", "../../etc/passwd"), None);
        assert_eq!(shown("/", "/a", ""), None);
    }
}
