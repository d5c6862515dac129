//! The names of the tokens that come in rows, so that a token can be a plain static string.

/// Whole numbers 0 to 99.
pub(super) const N: [&str; 100] = [
    "n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "n10", "n11", "n12", "n13", "n14",
    "n15", "n16", "n17", "n18", "n19", "n20", "n21", "n22", "n23", "n24", "n25", "n26", "n27",
    "n28", "n29", "n30", "n31", "n32", "n33", "n34", "n35", "n36", "n37", "n38", "n39", "n40",
    "n41", "n42", "n43", "n44", "n45", "n46", "n47", "n48", "n49", "n50", "n51", "n52", "n53",
    "n54", "n55", "n56", "n57", "n58", "n59", "n60", "n61", "n62", "n63", "n64", "n65", "n66",
    "n67", "n68", "n69", "n70", "n71", "n72", "n73", "n74", "n75", "n76", "n77", "n78", "n79",
    "n80", "n81", "n82", "n83", "n84", "n85", "n86", "n87", "n88", "n89", "n90", "n91", "n92",
    "n93", "n94", "n95", "n96", "n97", "n98", "n99",
];

/// 10 to 19 inside a longer Chinese number, by value less 10.
pub(super) const INNER_TEENS: [&str; 10] =
    ["i10", "i11", "i12", "i13", "i14", "i15", "i16", "i17", "i18", "i19"];

/// Chinese hundreds, by digit less 1.
pub(super) const HUNDREDS: [&str; 9] = ["h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8", "h9"];

/// Chinese thousands, by digit less 1.
pub(super) const THOUSANDS: [&str; 9] = ["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9"];

/// Tenths of a yuan in Chinese, by digit less 1.
pub(super) const JIAO: [&str; 9] =
    ["jiao1", "jiao2", "jiao3", "jiao4", "jiao5", "jiao6", "jiao7", "jiao8", "jiao9"];

/// Hundredths of a yuan in Chinese, by digit less 1.
pub(super) const FEN: [&str; 9] =
    ["fen1", "fen2", "fen3", "fen4", "fen5", "fen6", "fen7", "fen8", "fen9"];

/// Months, by month less 1.
pub(super) const MONTHS: [&str; 12] = [
    "month1", "month2", "month3", "month4", "month5", "month6", "month7", "month8", "month9",
    "month10", "month11", "month12",
];

/// Days of the month, by day less 1.
pub(super) const DAYS: [&str; 31] = [
    "day1", "day2", "day3", "day4", "day5", "day6", "day7", "day8", "day9", "day10", "day11",
    "day12", "day13", "day14", "day15", "day16", "day17", "day18", "day19", "day20", "day21",
    "day22", "day23", "day24", "day25", "day26", "day27", "day28", "day29", "day30", "day31",
];

/// Letters, by place in the alphabet.
pub(super) const LETTERS: [&str; 26] = [
    "letter-a", "letter-b", "letter-c", "letter-d", "letter-e", "letter-f", "letter-g", "letter-h",
    "letter-i", "letter-j", "letter-k", "letter-l", "letter-m", "letter-n", "letter-o", "letter-p",
    "letter-q", "letter-r", "letter-s", "letter-t", "letter-u", "letter-v", "letter-w", "letter-x",
    "letter-y", "letter-z",
];
