import Basics
import Stores
import Testing

@Suite struct PackingTests {
  private func unpack<T>(_ values: [T], _ type: ScalarType, _ attributes: [String: AttributeValue]) -> [Float] {
    let raw = RawArray(type: type, bytes: values.withUnsafeBytes { Array($0) })
    var out = [Float](repeating: 0, count: values.count)
    out.withUnsafeMutableBufferPointer { CFPacking(attributes).unpack(raw, into: $0) }
    return out
  }

  @Test func scaleAndOffsetApplyInDoublePrecision() {
    let found = unpack(
      [Int16.min, -1, 0, 1, Int16.max], .int16, ["scale_factor": .numbers([0.1]), "add_offset": .numbers([100_000])])
    let stored: [Double] = [-32_768, -1, 0, 1, 32_767]
    #expect(found == stored.map { Float($0 * 0.1 + 100_000) })
    #expect(unpack([3 as UInt8, 255], .uint8, ["scale_factor": .numbers([2])]) == [6, 510])
    #expect(unpack([1.5 as Double, -2], .float64, ["add_offset": .numbers([1])]) == [2.5, -1])
    #expect(unpack([7 as Int64], .int64, [:]) == [7])
  }

  @Test func marksBecomeNaN() {
    let marks: [String: AttributeValue] = ["_FillValue": .numbers([-32_767]), "missing_value": .numbers([-1, -2])]
    let found = unpack([-32_767, -1, -2, 4] as [Int16], .int16, marks)
    #expect(found[..<3].allSatisfy { $0.isNaN } && found[3] == 4)
    // A mark in double precision beside FP32 numbers means the nearest FP32 number.
    let floats = unpack([-999.9, 1.5] as [Float], .float32, ["missing_value": .numbers([-999.9])])
    #expect(floats[0].isNaN && floats[1] == 1.5)
    // NaN itself needs no mark; text marks nothing.
    #expect(unpack([.nan, 2] as [Float], .float32, ["_FillValue": .numbers([.nan])])[1] == 2)
    #expect(unpack([2] as [Float], .float32, ["_FillValue": .text("none")]) == [2])
  }

  @Test func numbersOfEveryTypeAreReadAsWholes() {
    let raw = RawArray(type: .float64, bytes: [2.9, -2.9, 1e30, .nan].withUnsafeBytes { Array($0) })
    #expect(raw.integers == [2, -2, .min, .min])
    let large = RawArray(type: .uint64, bytes: [UInt64.max, 5].withUnsafeBytes { Array($0) })
    #expect(large.integers == [.min, 5])
  }
}
