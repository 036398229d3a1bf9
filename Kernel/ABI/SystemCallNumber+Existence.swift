// Which numbers mean a call to FreeBSD, whether this kernel has the call or not (syscalls.master, FreeBSD/amd64 with the
// options of GENERIC).

extension SystemCallNumber {
  /// The numbers from here on lie beyond the end of FreeBSD's table, which is that of 15-CURRENT of late 2024.
  public static let tableEnd: UInt32 = 590

  /// Calls `body` with every number by which FreeBSD knows a call: today's, those kept for programs of FreeBSD 4 and later, and
  /// those of modules. Such a number never raises SIGSYS. The slots that FreeBSD answers with SIGSYS are the others: reserved,
  /// obsolete, not implemented, or only for programs of 4.3BSD, which GENERIC does not run.
  public static func forEachOfFreeBSD(_ body: (Int) -> Void) {
    let gaps = gaps
    var number = 0
    for index in gaps.indices {
      while number < Int(gaps[index].first) {
        body(number)
        number += 1
      }
      number = Int(gaps[index].last) + 1
    }
    while number < Int(tableEnd) {
      body(number)
      number += 1
    }
  }

  /// The slots of the table that no call has, first and last of each run.
  private static var gaps: [55 of (first: UInt32, last: UInt32)] {
    [
      (8, 8), (11, 11), (19, 19), (38, 38), (40, 40), (46, 46), (48, 48), (52, 52), (62, 64), (67, 71), (76, 77),
      (84, 84), (87, 88), (91, 91), (94, 94), (99, 99), (101, 103), (107, 115), (119, 119), (125, 125), (129, 130),
      (139, 139), (141, 146), (149, 153), (156, 156), (159, 159), (167, 168), (172, 172), (177, 180), (184, 187),
      (193, 193), (208, 208), (210, 219), (223, 223), (245, 246), (249, 249), (252, 252), (258, 271), (273, 273),
      (275, 275), (277, 277), (281, 288), (291, 296), (313, 313), (322, 323), (364, 370), (375, 375), (379, 383),
      (399, 399), (418, 420), (440, 440), (467, 470), (514, 514), (521, 521), (548, 549),
    ]
  }
}
