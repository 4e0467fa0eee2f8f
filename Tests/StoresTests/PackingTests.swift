import Basics
import Basics
import Stores
import Testing

@Suite struct PackingTests {
  private func unpack<T>(
    _ values: [T], _ type: ScalarType, _ attributes: [String: AttributeValue],
    datasetWide: [String: AttributeValue] = [:],
    real: Set<String> = []
  ) throws -> [Float] {
    let raw = RawArray(type: type, bytes: values.withUnsafeBytes { Array($0) })
    let info = ArrayInfo(
      name: "a", type: type, dimensions: [.init(name: "x", size: values.count)], chunks: nil, codec: "none",
      attributes: attributes, realAttributes: real)
    let packing = try CFPacking(info, datasetWide: datasetWide, location: "a.nc")
    var out = [Float](repeating: 0, count: values.count)
    out.withUnsafeMutableBufferPointer { packing.unpack(raw, into: $0) }
    return out
  }

  @Test func scaleAndOffsetApplyInDoublePrecision() throws {
    let found = try unpack(
      [Int16.min, -1, 0, 1, Int16.max], .int16, ["scale_factor": .numbers([0.1]), "add_offset": .numbers([100_000])])
    let stored: [Double] = [-32_768, -1, 0, 1, 32_767]
    #expect(found == stored.map { Float($0 * 0.1 + 100_000) })
    #expect(try unpack([3 as UInt8, 255], .uint8, ["scale_factor": .numbers([2])]) == [6, 510])
    #expect(try unpack([1.5 as Double, -2], .float64, ["add_offset": .numbers([1])]) == [2.5, -1])
    #expect(try unpack([7 as Int64], .int64, [:]) == [7])
  }

  @Test func marksBecomeNaN() throws {
    let marks: [String: AttributeValue] = ["_FillValue": .numbers([-32_767]), "missing_value": .numbers([-1, -2])]
    let found = try unpack([-32_767, -1, -2, 4] as [Int16], .int16, marks)
    #expect(found[..<3].allSatisfy { $0.isNaN } && found[3] == 4)
    // A mark in double precision beside FP32 numbers means the nearest FP32 number.
    let floats = try unpack([-999.9, 1.5] as [Float], .float32, ["missing_value": .numbers([-999.9])])
    #expect(floats[0].isNaN && floats[1] == 1.5)
    // NaN itself needs no mark; text marks nothing.
    #expect(try unpack([.nan, 2] as [Float], .float32, ["_FillValue": .numbers([.nan])])[1] == 2)
    #expect(try unpack([2] as [Float], .float32, ["_FillValue": .text("none")]) == [2])
  }

  @Test func integersOfTheOtherSign() throws {
    let bytes = [-56, -1, 5] as [Int8]
    for text in ["true", "True"] {
      #expect(try unpack(bytes, .int8, ["_Unsigned": .text(text)]) == [200, 255, 5])
    }
    #expect(try unpack(bytes, .int8, ["_Unsigned": .text("false")]) == [-56, -1, 5])
    #expect(try unpack([200, 5] as [UInt8], .uint8, ["_Unsigned": .text("false")]) == [-56, 5])
    #expect(try unpack([-1] as [Int64], .int64, ["_Unsigned": .text("true")]) == [Float(UInt64.max)])
    // Marks and ranges are stored in the type of the numbers.
    let marked = try unpack(
      bytes, .int8, ["_Unsigned": .text("true"), "_FillValue": .numbers([-1]), "scale_factor": .numbers([0.5])])
    #expect(marked[0] == 100 && marked[1].isNaN && marked[2] == 2.5)
    let ranged = try unpack(bytes, .int8, ["_Unsigned": .text("true"), "valid_range": .numbers([0, -2])])
    #expect(ranged[0] == 200 && ranged[1].isNaN && ranged[2] == 5)
    #expect(try unpack([-1.5] as [Float], .float32, ["_Unsigned": .text("true")]) == [-1.5])
  }

  @Test func marksGivenAsText() throws {
    #expect(try unpack([-999, 2] as [Float], .float32, ["missing_value": .text("-999.f")])[0].isNaN)
    #expect(try unpack([-999, 2] as [Float], .float32, ["missing_value": .texts(["-999", "2"])]).allSatisfy(\.isNaN))
    #expect(try unpack([2] as [Float], .float32, ["_FillValue": .text("NaN")]) == [2])
  }

  @Test func marksOfTheWholeDataset() throws {
    let found = try unpack([1e20, 2] as [Float], .float32, [:], datasetWide: ["missing_value": .numbers([1e20])])
    #expect(found[0].isNaN && found[1] == 2)
    #expect(try unpack([3] as [Float], .float32, [:], datasetWide: ["missing_value": .text("see page 3")]) == [3])
  }

  @Test func valuesOutsideTheValidRangeAreMissing() throws {
    let stored = [-5, 0, 50, 101] as [Int16]
    func isMissing(_ attributes: [String: AttributeValue], _ real: Set<String> = []) throws -> [Bool] {
      try unpack(stored, .int16, attributes, real: real).map(\.isNaN)
    }
    #expect(try isMissing(["valid_range": .numbers([0, 100])]) == [true, false, false, true])
    #expect(try isMissing(["valid_min": .numbers([0])]) == [true, false, false, false])
    #expect(try isMissing(["valid_max": .numbers([50])]) == [false, false, false, true])
    // In stored numbers when they are integers, too; in unpacked ones when they are not.
    let packed: [String: AttributeValue] = ["valid_range": .numbers([0, 50]), "scale_factor": .numbers([0.5])]
    #expect(try isMissing(packed) == [true, false, false, true])
    #expect(try isMissing(packed, ["valid_range"]) == [true, false, false, true])
    let unpacked: [String: AttributeValue] = ["valid_range": .numbers([-2.5, 10]), "scale_factor": .numbers([0.5])]
    #expect(try isMissing(unpacked, ["valid_range"]) == [false, false, true, true])
    let turned: [String: AttributeValue] = ["valid_min": .numbers([0]), "scale_factor": .numbers([-0.5])]
    #expect(try isMissing(turned) == [true, false, false, false])
  }

  @Test func attributesThatCannotBeUnderstoodAreNamed() throws {
    let cases: [(String, AttributeValue)] = [
      ("scale_factor", .text("0.5")), ("scale_factor", .numbers([1, 2])), ("scale_factor", .numbers([])),
      ("add_offset", .numbers([.nan])), ("add_offset", .json(.object([:]))), ("_Unsigned", .text("yes")),
      ("_FillValue", .text("999 or so")), ("missing_value", .json(.null)), ("valid_range", .numbers([1])),
      ("valid_range", .numbers([5, 1])), ("valid_min", .text("none")),
    ]
    for (name, value) in cases {
      let error = #expect(throws: JigsawError.self, "\(name) \(value)") {
        try unpack([1] as [Int16], .int16, [name: value])
      }
      #expect(error.map { "\($0)" }?.contains(name) == true, "\(name) \(value)")
    }
  }

  @Test func numbersOfEveryTypeAreReadAsWholes() {
    let raw = RawArray(type: .float64, bytes: [2.9, -2.9, 1e30, .nan].withUnsafeBytes { Array($0) })
    #expect(raw.integers == [2, -2, .min, .min])
    let large = RawArray(type: .uint64, bytes: [UInt64.max, 5].withUnsafeBytes { Array($0) })
    #expect(large.integers == [.min, 5])
  }
}
