// The results of the experiment as tables and as a picture.

/// A number of microseconds, short.
private func short(_ microseconds: Double) -> String {
  if microseconds < 10 { return "\((microseconds * 10).rounded() / 10)" }
  return "\(Int(microseconds.rounded()))"
}

extension Study {
  /// Tables in Markdown.
  public var tables: String {
    var text = ""
    for workload in Workload.allCases {
      let load = workload.comparedLoad
      let rate = Double(QueueExperiment.processorCount) * 1e9 / workload.mean
      text += "\n### \(workload.title)\n\n"
      text += "| | p50 at \(load) | p99 at \(load) | p99.9 at \(load) | p99 at 0.5 | low-latency throughput |\n"
      text += "|---|---|---|---|---|---|\n"
      for (name, _) in Sharing.all {
        let (at, half) = (self[workload, name, load], self[workload, name, 0.5])
        let most = lowLatencyLoad(workload, name)
        let throughput =
          most == 0 ? "less than \(workload.loads[0])" : "\(most) (\(Int((most * rate / 1000).rounded(.down))) k/s)"
        text += "| \(name) | \(short(at.percentile(0.5))) | \(short(at.percentile(0.99))) "
        text += "| \(short(at.percentile(0.999))) | \(short(half.percentile(0.99))) | \(throughput) |\n"
      }
    }
    return text
  }

  /// What must hold, as a list in Markdown.
  public var boundsList: String { bounds.map { "- \($0.holds ? "holds" : "**fails**"): \($0.text)\n" }.joined() }
}

/// A picture of latency against load.
public struct Chart {
  private static let colours: [(name: String, colour: String)] = [
    ("1:1", "#c0392b"), ("1:N", "#8e6f3e"), ("cpu0", "#8e44ad"), ("best2", "#2980b9"), ("cpu2", "#16a085"),
    ("cpu2+ws", "#27ae60"), ("best2+ws", "#d4a017"),
  ]
  private static let panel = (width: 460.0, height: 300.0)
  private static let margin = (left: 60.0, right: 16.0, top: 34.0, bottom: 40.0)
  /// Microseconds at the lower and the upper edge, as powers of ten.
  private static let decades = (low: 0.5, high: 6.0)

  private let study: Study

  /// A picture of all results.
  public init(_ study: Study) { self.study = study }

  /// The picture, in SVG.
  public var svg: String {
    let (width, height) = (2 * Chart.panel.width, 2 * Chart.panel.height + 40)
    var text = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(Int(width))\" height=\"\(Int(height))\" "
    text += "font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    for (index, workload) in Workload.allCases.enumerated() {
      let (x, y) = (Double(index % 2) * Chart.panel.width, Double(index / 2) * Chart.panel.height)
      text += "<g transform=\"translate(\(Int(x)),\(Int(y)))\">\n\(draw(workload))</g>\n"
    }
    for (index, entry) in Chart.colours.enumerated() {
      let x = 60 + index * 120
      text += "<line x1=\"\(x)\" y1=\"\(Int(height) - 22)\" x2=\"\(x + 24)\" y2=\"\(Int(height) - 22)\" "
      text += "stroke=\"\(entry.colour)\" stroke-width=\"2\"/>"
      text += "<text x=\"\(x + 30)\" y=\"\(Int(height) - 18)\">\(entry.name)</text>\n"
    }
    return text + "</svg>\n"
  }

  private func place(_ load: Double) -> Double {
    Chart.margin.left + load * (Chart.panel.width - Chart.margin.left - Chart.margin.right)
  }

  private func height(_ exponent: Double) -> Double {
    let part = (min(max(exponent, Chart.decades.low), Chart.decades.high) - Chart.decades.low)
    let whole = Chart.panel.height - Chart.margin.top - Chart.margin.bottom
    return Chart.panel.height - Chart.margin.bottom - part / (Chart.decades.high - Chart.decades.low) * whole
  }

  private func draw(_ workload: Workload) -> String {
    var text = "<text x=\"\(Int(Chart.margin.left))\" y=\"20\" font-size=\"13\">\(workload.title)</text>\n"
    let names = [1: "10 µs", 2: "100 µs", 3: "1 ms", 4: "10 ms", 5: "100 ms", 6: "1 s"]
    for (exponent, name) in names.sorted(by: { $0.key < $1.key }) {
      let y = tenths(height(Double(exponent)))
      text += "<line x1=\"\(Int(place(0)))\" y1=\"\(y)\" x2=\"\(Int(place(1)))\" y2=\"\(y)\" "
      text += "stroke=\"\(exponent == 3 ? "#888" : "#ddd")\"/>"
      text += "<text x=\"54\" y=\"\(y + 4)\" text-anchor=\"end\">\(name)</text>\n"
    }
    for step in 0...5 {
      let load = Double(step) / 5
      text +=
        "<text x=\"\(Int(place(load)))\" y=\"\(Int(Chart.panel.height - 22))\" text-anchor=\"middle\">\(load)</text>\n"
    }
    text += "<text x=\"\(Int(place(0.5)))\" y=\"\(Int(Chart.panel.height - 8))\" text-anchor=\"middle\">"
    text += "load; 99th percentile of latency</text>\n"
    for (name, colour) in Chart.colours {
      let points = workload.loads.map { load in
        let exponent = max(study[workload, name, load].percentile(0.99), 1).logarithm / 10.0.logarithm
        return "\(tenths(place(load))),\(tenths(height(exponent)))"
      }
      text +=
        "<polyline points=\"\(points.joined(separator: " "))\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"2\"/>\n"
    }
    return text
  }

  private func tenths(_ value: Double) -> Double { (value * 10).rounded() / 10 }
}
