//! Which style a listing is of, and what else its lines have in common.

use std::fmt;
use std::str::FromStr;

use super::date::Line;
use super::lines::Lines;
use super::permissions::Permissions;
use super::{Context, Reading, Skip, cms, dos, eplf, guardian, ibmi, manners, mlsd, mvs, os2, rare, small, unix, vms};
use crate::remote::Entry;

/// How the lines of a LIST are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// As `ls -l` does.
    Unix,
    /// As MS-DOS did: IIS by default.
    Dos,
    /// As MLSD does: `fact=value; name`.
    Mlsd,
    /// As D. J. Bernstein's publicfile does.
    Eplf,
    /// As OpenVMS does.
    Vms,
    /// As z/OS does.
    Mvs,
    /// As IBM i (AS/400) does.
    IbmI,
    /// As NetWare does.
    NetWare,
    /// As OS/2 does.
    Os2,
    /// As VM/CMS does.
    Cms,
    /// As HP NonStop does.
    Guardian,
    /// As VxWorks does, and VShell: the size first.
    VxWorks,
    /// As Chameleon, SuperTCP, WinQVT and Nortel's routers do: the name first.
    Newt,
    /// As `ls` would in numbers only.
    Octal,
    /// As Microware OS-9 does.
    Os9,
    /// As GCOS 8 does.
    Gcos,
    /// As MPE of the HP 3000 does.
    Mpe,
    /// As VOS of Stratus does.
    Vos,
    /// As PC/TCP does: the size first, the date last.
    PcTcp,
    /// As Distinct's server does.
    Distinct,
    /// As `dls` does: names, sizes and descriptions.
    Dls,
}

impl Style {
    /// All styles, the likely ones first.
    pub const ALL: [Self; 21] = [
        Self::Mlsd,
        Self::Eplf,
        Self::Unix,
        Self::NetWare,
        Self::Dos,
        Self::Vms,
        Self::IbmI,
        Self::Mvs,
        Self::Os2,
        Self::Cms,
        Self::Guardian,
        Self::Octal,
        Self::Os9,
        Self::VxWorks,
        Self::Newt,
        Self::Gcos,
        Self::Mpe,
        Self::Vos,
        Self::PcTcp,
        Self::Distinct,
        Self::Dls,
    ];

    /// The name that options call it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unix => "unix",
            Self::Dos => "dos",
            Self::Mlsd => "mlsd",
            Self::Eplf => "eplf",
            Self::Vms => "vms",
            Self::Mvs => "mvs",
            Self::IbmI => "ibmi",
            Self::NetWare => "netware",
            Self::Os2 => "os2",
            Self::Cms => "cms",
            Self::Guardian => "guardian",
            Self::VxWorks => "vxworks",
            Self::Newt => "newt",
            Self::Octal => "octal",
            Self::Os9 => "os9",
            Self::Gcos => "gcos",
            Self::Mpe => "mpe",
            Self::Vos => "vos",
            Self::PcTcp => "pctcp",
            Self::Distinct => "distinct",
            Self::Dls => "dls",
        }
    }

    /// Whether its times are UTC, and not those of the server's wall.
    pub(super) fn is_utc(self) -> bool {
        matches!(self, Self::Mlsd | Self::Eplf | Self::Octal)
    }
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that is no style's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseStyleError;

impl fmt::Display for ParseStyleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a style of listings; known are")?;
        Style::ALL.iter().try_for_each(|style| write!(f, " {style}"))
    }
}

impl std::error::Error for ParseStyleError {}

impl FromStr for Style {
    type Err = ParseStyleError;

    /// Reads the name of a style, in any case.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let lower = name.to_ascii_lowercase();
        let style = match &lower[..] {
            "iis" | "windows" | "nt" => Self::Dos,
            "as400" | "os400" => Self::IbmI,
            "zos" => Self::Mvs,
            "openvms" => Self::Vms,
            "nonstop" => Self::Guardian,
            "vm" => Self::Cms,
            name => Self::ALL.into_iter().find(|style| style.name() == name).ok_or(ParseStyleError)?,
        };
        Ok(style)
    }
}

/// The style that most lines are of; None where no line is of any.
pub(super) fn vote(data: &[u8], now: i64) -> Option<Style> {
    let context = Context { now, ..Context::default() };
    let mut votes = [0usize; Style::ALL.len()];
    for line in Lines::new(data).flatten() {
        if let Some(style) = guess(&Line::new(line), &context) {
            votes[style as usize] += 1;
        }
    }
    // The first of those with most votes.
    let most = votes.iter().copied().max().filter(|most| *most > 0)?;
    Style::ALL.into_iter().find(|style| votes[*style as usize] == most)
}

/// The style of one line where it cannot be anything else.
pub(super) fn guess(line: &Line<'_>, context: &Context) -> Option<Style> {
    if line.words.is_empty() {
        return None;
    }
    if line.text.starts_with(b"+") {
        return eplf::parse(line.text).is_ok().then_some(Style::Eplf);
    }
    if let Some(permissions) = Permissions::find(line) {
        return Some(if permissions.netware { Style::NetWare } else { Style::Unix });
    }
    if mlsd::looks_like(line.text) {
        return Some(Style::Mlsd);
    }
    if vms::is_name_alone(line) || (line.word(0).starts_with(b"*.*;") && vms::is_end(line.text)) {
        return Some(Style::Vms);
    }
    if mvs::is_heading(line) {
        return Some(Style::Mvs);
    }
    if small::is_dls(line) {
        return Some(Style::Dls);
    }
    // These are told by the whole line.
    let strict = [
        Style::Dos,
        Style::Vms,
        Style::IbmI,
        Style::Mvs,
        Style::Os2,
        Style::Cms,
        Style::Guardian,
        Style::Octal,
        Style::Os9,
        Style::VxWorks,
        Style::Newt,
        Style::Gcos,
        Style::Mpe,
        Style::Vos,
        Style::PcTcp,
        Style::Distinct,
    ];
    strict.into_iter().find(|style| match style {
        // VMS without a version may be anything.
        Style::Vms => line.word(0).contains(&b';') && !matches!(parse_line(*style, line, context), Err(Skip::NoEntry)),
        style => matches!(parse_line(*style, line, context), Ok(Some(_)) | Err(Skip::BadName | Skip::OtherDirectory)),
    })
}

/// Reads a line as one of `style`.
pub(super) fn parse_line(style: Style, line: &Line<'_>, context: &Context) -> Result<Option<Entry>, Skip> {
    match style {
        Style::Unix | Style::NetWare => unix::parse(line, context),
        Style::Dos => dos::parse(line, context),
        Style::Mlsd => mlsd::parse_mlsd_line(line.text),
        Style::Eplf => eplf::parse(line.text),
        Style::Vms => Ok(vms::parse(line, context)?.map(|(entry, _)| entry)),
        Style::Mvs => mvs::parse(line, context),
        Style::IbmI => ibmi::parse(line, context),
        Style::Os2 => os2::parse(line, context),
        Style::Cms => cms::parse(line),
        Style::Guardian => guardian::parse(line),
        Style::VxWorks => small::vxworks(line, context),
        Style::Newt => small::newt(line, context),
        Style::Octal => small::octal(line),
        Style::Os9 => small::os9(line),
        Style::Gcos => rare::gcos(line, context),
        Style::Mpe => rare::mpe(line),
        Style::Vos => rare::vos(line),
        Style::PcTcp => rare::pctcp(line, context),
        Style::Distinct => rare::distinct(line),
        Style::Dls => small::dls(line, context),
    }
}

/// Looks over the listing for what single lines leave open.
pub(super) fn study(data: &[u8], style: Style, reading: &Reading) -> Context {
    let mut context = Context { now: reading.now, ..Context::default() };
    let lines = || Lines::new(data).flatten().map(Line::new);
    match style {
        Style::Unix | Style::NetWare => {
            let mut study = manners::Study::default();
            lines().for_each(|line| study.look(&line, &context));
            (context.habits, context.unix) = study.conclude();
        }
        Style::Dos => {
            let mut study = dos::Study::default();
            lines().for_each(|line| study.look(&line));
            (context.habits, context.dos_name_column) = study.conclude();
        }
        Style::IbmI => {
            let mut study = ibmi::Study::new(reading.now);
            lines().for_each(|line| study.look(&line));
            (context.told, context.ibmi) = study.conclude(reading.order);
        }
        Style::Mvs => context.mvs_members = lines().any(|line| mvs::is_member_heading(&line)),
        Style::Dls => context.dls = true,
        _ => {}
    }
    context.told = context.told.or(context.habits.order);
    context.habits.order = context.habits.order.or(reading.order);
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for style in Style::ALL {
            assert_eq!(style.to_string().to_uppercase().parse(), Ok(style));
        }
        assert_eq!("as400".parse(), Ok(Style::IbmI));
        assert!("".parse::<Style>().is_err());
        assert!("x".parse::<Style>().expect_err("unknown").to_string().contains("unix"));
    }
}
