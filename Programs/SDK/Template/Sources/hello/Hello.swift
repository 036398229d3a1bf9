// Counts the words of its input. `Userland` has Martlet's calls with typed errors, `CLibrary` the C library.

import CLibrary
import Userland

/// The next word of standard input; nil at its end.
func readWord() -> String? {
  var bytes: [UInt8] = []
  while true {
    let character = getchar()
    if character == EOF { return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self) }
    if isspace(character) == 0 {
      bytes.append(UInt8(truncatingIfNeeded: character))
    } else if !bytes.isEmpty {
      return String(decoding: bytes, as: UTF8.self)
    }
  }
}

@main struct Hello {
  static func main() {
    var counts: [String: Int] = [:]
    while let word = readWord() { counts[word, default: 0] += 1 }
    for word in counts.keys.sorted() { print("\(word): \(counts[word] ?? 0)") }
    print("process \(Processes.identifier) saw \(counts.count) different words")
  }
}
