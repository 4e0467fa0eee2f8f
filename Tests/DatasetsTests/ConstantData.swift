import Basics
import Stores

/// A store with msl alone, the same at all times.
enum ConstantData {
  static func write(_ path: String, times: Int = 4, _ value: (_ point: Int) -> Float) throws {
    func text(_ units: String) -> [String: AttributeValue] { ["units": .text(units)] }
    let writer = try createStore(
      path,
      StoreDefinition(
        dimensions: [
          .init(name: "time", size: times), .init(name: "latitude", size: 4), .init(name: "longitude", size: 8),
        ],
        arrays: [
          ArrayDefinition(
            name: "time", type: .int64, dimensions: ["time"], attributes: text("hours since 2001-01-01")),
          ArrayDefinition(
            name: "latitude", type: .float64, dimensions: ["latitude"], attributes: text("degrees_north")),
          ArrayDefinition(
            name: "longitude", type: .float64, dimensions: ["longitude"], attributes: text("degrees_east")),
          ArrayDefinition(
            name: "msl", type: .float32, dimensions: ["time", "latitude", "longitude"], attributes: text("Pa")),
        ]))
    try writer.write("time", (0..<times).map { Double($0 * 6) })
    try writer.write("latitude", [67.5, 22.5, -22.5, -67.5])
    try writer.write("longitude", (0..<8).map { Double($0) * 45 })
    let values = (0..<times).flatMap { _ in (0..<32).map(value) }
    try values.withUnsafeBufferPointer { try writer.write("msl", [0..<times, 0..<4, 0..<8], $0) }
    try writer.finish()
  }
}
