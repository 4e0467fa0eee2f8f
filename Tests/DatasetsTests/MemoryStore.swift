import Basics
import Stores

/// A store in memory with any arrays: for coordinates as others write them.
struct MemoryStore: ArrayStore {
  let reads = ReadCounter()
  let location = "memory"
  let format = "memory"
  var attributes: [String: AttributeValue] = [:]
  private(set) var arrays: [String: ArrayInfo] = [:]
  /// By array, indices of times for which there is no field.
  var gaps: [String: Set<Int>] = [:]
  private var values: [String: [Double]] = [:]
  private var sizes: [String: Int]

  init(_ sizes: [String: Int]) { self.sizes = sizes }

  /// Adds an array; its values repeat where fewer are given.
  mutating func add(_ name: String, _ dimensions: [String], _ given: [Double] = [0], _ texts: [String: String] = [:]) {
    add(name, dimensions, given, attributes: texts.mapValues { .text($0) })
  }

  /// Rows of characters.
  mutating func add(_ name: String, _ dimensions: [String], texts: [String]) {
    add(name, dimensions, texts.joined().utf8.map(Double.init), attributes: [:], isText: true)
  }

  mutating func add(
    _ name: String, _ dimensions: [String], _ given: [Double], attributes: [String: AttributeValue],
    isText: Bool = false
  ) {
    let shape = dimensions.map { sizes[$0] ?? 1 }
    arrays[name] = ArrayInfo(
      name: name, type: .float64, dimensions: zip(dimensions, shape).map { .init(name: $0, size: $1) }, chunks: nil,
      codec: "none", attributes: attributes, isText: isText)
    values[name] = (0..<shape.reduce(1, *)).map { given[$0 % given.count] }
  }

  mutating func set(_ array: String, _ attribute: String, _ text: String) {
    guard let old = arrays[array] else { return }
    arrays[array] = ArrayInfo(
      name: array, type: old.type, dimensions: old.dimensions, chunks: old.chunks, codec: old.codec,
      attributes: old.attributes.merging([attribute: .text(text)]) { $1 }, isText: old.isText)
  }

  /// Of arrays that are added from now on.
  mutating func resize(_ dimension: String, _ size: Int) { sizes[dimension] = size }

  mutating func remove(_ name: String) { arrays[name] = nil }

  func hasGaps(_ name: String, _ box: [Range<Int>]) -> Bool { gaps[name]?.contains(where: box[0].contains) ?? false }

  func read(_ name: String, _ box: [Range<Int>]) throws -> RawArray {
    let (all, shape) = (values[name] ?? [], try info(name).shape)
    var offsets = [0]
    for (range, size) in zip(box, shape) { offsets = offsets.flatMap { offset in range.map { offset * size + $0 } } }
    return RawArray(type: .float64, bytes: offsets.map { all[$0] }.withUnsafeBytes { Array($0) })
  }
}
