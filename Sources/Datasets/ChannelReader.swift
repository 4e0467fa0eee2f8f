/// Whole planes of neighbouring channels of a dataset.
public final class ChannelReader: Sendable {
  public let dataset: FieldDataset
  public let channels: Range<Int>
  private let records: RecordReader

  init(_ dataset: FieldDataset, _ channels: Range<Int>, cacheBytes: Int) {
    self.dataset = dataset
    self.channels = channels
    records = RecordReader(
      dataset, tiling: nil, blocks: [FieldBlock(fields: channels, tokens: 0..<0)], rank: 0, cacheBytes: cacheBytes,
      memory: dataset.memory)
  }

  /// Elements of one time: channels × rows × columns.
  public var count: Int { channels.count * dataset.grid.count }

  /// The channels at one time into [channel, row, column], north to south, in our units.
  /// - Throws: also when values are missing that `data.impute` does not name, with file, variable and time.
  public func readChecked(time: Int, into planes: inout [Float]) throws {
    precondition(planes.count == count)
    try planes.withUnsafeMutableBufferPointer { planes in
      guard let start = planes.baseAddress else { return }
      try records.read(time, isChecked: true, into: start)
    }
  }
}
