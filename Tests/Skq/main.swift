// `skq [SEED…]`: runs the experiment with SKQ, prints its tables, and writes them and the picture into Documentation when it is
// given no seed or one. With several seeds only the bounds are looked at. Ends with 1 if one of them does not hold.

import Foundation
import QueueExperiment

let seeds = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
let mark = "<!-- make skq -->"
let page = "Documentation/SKQ.md"

/// Writes what a study gave behind the mark of the page, and its picture.
func write(_ study: Study) throws {
  try Chart(study).svg.write(toFile: "Documentation/skq.svg", atomically: true, encoding: .utf8)
  let text = try String(contentsOfFile: page, encoding: .utf8)
  guard let range = text.range(of: mark) else { return }
  let result = "\n\nSeed \(study.seed). Latencies in microseconds.\n\n\(study.boundsList)\(study.tables)"
  try (text[..<range.upperBound] + result).write(toFile: page, atomically: true, encoding: .utf8)
}

if seeds.count > 1 {
  var holds = true
  for seed in seeds {
    let study = Study(Study.acceptanceKeys, seed: seed)
    print("seed \(seed)\n\(study.boundsList)")
    holds = holds && study.bounds.allSatisfy(\.holds)
  }
  exit(holds ? 0 : 1)
}
let study = Study(Study.allKeys, seed: seeds.first ?? 1)
print(study.boundsList, study.tables, separator: "")
try write(study)
exit(study.bounds.allSatisfy(\.holds) ? 0 : 1)
