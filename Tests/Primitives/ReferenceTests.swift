// Back references: what they name while it lives, and that using one that was kept too long ends the program.
import Simulation
import Testing

@testable import Primitives

private final class Named: Nameable {
  var number = 7
}

/// Whether a program ended with these words.
private func said(_ words: String, _ result: ExitTest.Result?) -> Bool {
  String(decoding: result?.standardErrorContent ?? [], as: UTF8.self).contains(words)
}

@Suite struct ReferenceTests {
  @Test func `a back reference names its instance and keeps nothing alive`() {
    weak var watched: Named?
    do {
      let instance = Named()
      watched = instance
      let reference = BackReference(instance)
      #expect(reference.instance === instance && !reference.isEmpty)
      #expect(reference.borrow { $0.number } == 7 && reference.borrowNamed { $0.number } == 7)
      #expect(reference == BackReference(instance) && reference != BackReference())
    }
    #expect(watched == nil)
    #expect(BackReference<Named>().instance == nil)
  }

  @Test func `references to instances that follow each other at one address differ`() {
    var seen: [UInt: BackReference<Named>] = [:]
    var repeated = 0
    for _ in 0..<1000 {
      let instance = Named()
      let reference = BackReference(instance)
      if let earlier = seen[reference.rawAddress] {
        repeated += 1
        #expect(earlier != reference)
      }
      seen[reference.rawAddress] = reference
    }
    #expect(repeated > 0)
  }

  @Test func `a stale back reference traps, whoever lives there now`() async {
    var result: ExitTest.Result?
    result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let reference = BackReference(Named())
      _ = reference.instance
    }
    #expect(said("a stale back reference", result))
    result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let reference = BackReference(Named())
      // One of these has the place of the first.
      let others = (0..<1000).map { _ in Named() }
      print(reference.borrow { $0.number })
      withExtendedLifetime(others) {}
    }
    #expect(said("a stale back reference", result))
  }

  @Test func `a held reference hands out what it was given, once`() async {
    var place = HeldReference<Named>()
    let nothing = place.take()
    #expect(nothing === nil)
    place.fill(Named())
    let isOnly = place.isOnlyReference()
    #expect(isOnly && place.borrowed.borrow { $0.number } == 7)
    let other = place.borrowed.instance
    let isStillOnly = place.isOnlyReference()
    #expect(!isStillOnly)
    var second = place.move()
    let (first, moved) = (place.take(), second.take())
    #expect(first === nil && moved === other)
    await #expect(processExitsWith: .failure) {
      var place = HeldReference<Named>()
      place.fill(Named())
      place.fill(Named())
    }
  }

  @Test func `SplitMix gives the published sequence`() {
    var numbers = SplitMix(seed: 1_234_567)
    // From the reference implementation (Vigna, splitmix64.c).
    let expected: [UInt64] = [
      6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431,
      16_408_922_859_458_223_821,
    ]
    let drawn = expected.map { _ in numbers.next() }
    #expect(drawn == expected)
  }
}
