//! The lines of a listing, whatever ends them.

use super::Skip;

/// The lines of a listing without their ends; a line that must not be read comes as an error.
///
/// Servers end lines with CR LF, but for inetutils' LF. ProFTPD and pyftpdlib send a name that holds an LF as it is: in a
/// listing whose lines end in CR LF, a bare LF is part of a name, and the two halves are not entries. Which of the two
/// it is, most lines decide. Servers that convert line ends twice send CR CR LF, old Macs a CR alone; a single line that ends in CR CR LF is a name that ends in CR (`Icon`).
pub(super) struct Lines<'a> {
    rest: &'a [u8],
    end: &'static [u8],
}

impl<'a> Lines<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
        let lf = data.iter().filter(|b| **b == b'\n').count();
        let crlf = data.windows(2).filter(|pair| pair == b"\r\n").count();
        let crcrlf = data.windows(3).filter(|three| three == b"\r\r\n").count();
        let end: &[u8] = match () {
            () if crcrlf > 1 && crcrlf == crlf => b"\r\r\n",
            () if crlf > 0 && 2 * crlf >= lf => b"\r\n",
            () if lf == 0 && data.contains(&b'\r') => b"\r",
            () => b"\n",
        };
        Self { rest: data, end }
    }

    /// Length of the next line, and with its end.
    fn next_end(&self) -> (usize, usize) {
        let found = match self.end {
            [end] => self.rest.iter().position(|b| b == end),
            end => self.rest.windows(end.len()).position(|part| part == end),
        };
        found.map_or((self.rest.len(), self.rest.len()), |at| (at, at + self.end.len()))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<&'a [u8], (Skip, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (len, next) = self.next_end();
        let mut line = &self.rest[..len];
        self.rest = &self.rest[next..];
        if self.rest.is_empty() {
            // What a terminal or an editor put behind the last line.
            line = line.strip_suffix(b"\n").unwrap_or(line);
        }
        Some(match line {
            _ if len > MAX_LINE => Err((Skip::LongLine, line)),
            _ if line.contains(&b'\n') => Err((Skip::LineBreak, line)),
            _ => Ok(line),
        })
    }
}

/// Far beyond the longest path and its facts.
const MAX_LINE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends() {
        let table: &[(&[u8], &[&[u8]])] = &[
            (b"a\r\nb\r\n", &[b"a", b"b"]),
            (b"a\nb", &[b"a", b"b"]),
            (b"a\r\r\nb\r\r\n", &[b"a", b"b"]),
            (b"a\rb\r", &[b"a", b"b"]),
            (b"\xef\xbb\xbfa\nb\n", &[b"a", b"b"]),
            (b"a\r\nb\r\n226 done\n", &[b"a", b"b", b"226 done"]),
            (b"a\n\nb\r\n", &[b"a", b"", b"b\r"]),
            (b"", &[]),
        ];
        for (data, want) in table {
            let lines: Vec<_> = Lines::new(data).map(|line| line.expect("readable")).collect();
            assert_eq!(lines, *want, "{}", data.escape_ascii());
        }
        assert!(Lines::new(b"a\nb\r\nc\r\n").next().is_some_and(|line| line.is_err()));
    }
}
