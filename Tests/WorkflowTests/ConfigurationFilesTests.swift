import Basics
import Configuration
import Execution
import Models
import Testing

/// The configurations that come with the project.
@Suite struct ConfigurationFilesTests {
  static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

  @Test func allCanBeRead() throws {
    let files = try Files.list("\(Self.root)/configs").filter { $0.hasSuffix(".yaml") }
    #expect(files.contains("demo.yaml"))
    for file in files {
      let configuration = try RunConfiguration.load("\(Self.root)/configs/\(file)")
      #expect(!configuration.data.sources.isEmpty && !configuration.data.variables.isEmpty, "\(file)")
      _ = try configuration.data.train.range("data.train")
      _ = try configuration.data.test.range("data.test")
      #expect((configuration.training.updates == nil) != (configuration.training.epochs == nil), "\(file)")
    }
  }

  @Test func thePublishedModelHasItsPublishedSize() throws {
    let configuration = try RunConfiguration.load("\(Self.root)/configs/era5-0.25deg-1b.yaml")
    let surface = 4
    let upper = configuration.data.variables.count - surface
    let variables = surface + upper * configuration.data.levels.count
    let fields = ModelFields(
      gridRows: try #require(configuration.data.rows), gridColumns: 1_440, variables: variables,
      auxiliaries: configuration.data.staticFields.count + configuration.data.forcings.count,
      tendencyScale: [Float](repeating: 1, count: variables))
    let description = ModelDescription(configuration.model, fields)
    #expect(fields.variables == 69 && fields.auxiliaries == 3)
    #expect((Double(try description.makeModel().parameters.elementCount) / 1e6).rounded() == 1_062)
  }
}
