import Basics
import TestSupport
import Testing

@testable import Datasets

#if canImport(Glibc)
  import Glibc
#endif

/// The table of variables against ecCodes' tables (Tests/Goldens/make_lexicon_goldens.py) and the page of documentation.
@Suite struct LexiconTests {
  static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

  /// Where ecCodes' CF name is that of something else: of a flux or a rate, not what it adds up to; of a depth, not a mass; of the
  /// geopotential on any level; of temperature in all soils and at the surface; of evaporation with the other sign.
  static let otherStandardNames: Set<String> = [
    "ssrd", "ssr", "str", "tsr", "ttr", "sshf", "slhf", "ewss", "nsss", "tcwv", "orog", "zs", "stl1", "e",
  ]

  @Test func numbersAndUnitsAreThoseOfTheTables() throws {
    let path = "\(Self.root)/Tests/Goldens/lexicon.json"
    let tables = try JSONValue(parsing: Files.read(path), place: path)
    var count = 0
    for variable in Lexicon.variables {
      guard let ecmwf = variable.ecmwf else { continue }
      let entry = try #require(tables[String(ecmwf.paramId)], "\(variable.name): make the goldens again")
      #expect(entry["shortName"]?.string == ecmwf.shortName, "\(variable.name)")
      let units = entry["units"]?.string ?? ""
      #expect(UnitConversion(from: units, to: variable.units) == UnitConversion.none, "\(variable.name): \(units)")
      if let name = entry["cfName"]?.string, name != "unknown", !Self.otherStandardNames.contains(variable.name) {
        #expect(variable.standardName == name, "\(variable.name)")
      }
      count += 1
    }
    #expect(count > 100)
  }

  @Test func rangesAreThoseOfKnownVariables() {
    for (name, range) in PlausibleValues.ranges {
      #expect(Lexicon[name] != nil && range.lowerBound < range.upperBound, "\(name)")
    }
    #expect(LexiconTable.heights.keys.allSatisfy { Lexicon[$0] != nil })
    // Of the standard atmosphere, and of records.
    for (name, value) in [
      ("t", 180.0), ("t2m", 329.85), ("t2m", 183.95), ("msl", 108_480), ("msl", 87_000), ("z", 480_000), ("u", 130),
      ("sp", 31_000), ("tp24h", 1.825), ("u10", 105),
    ] { #expect(Lexicon[name]?.plausible?.contains(value) == true, "\(name) \(value)") }
    for (name, value) in [("t2m", 0.0), ("t2m", 20), ("msl", 1_013), ("q", 5), ("u", -32_768), ("lsm", 100)] {
      #expect(Lexicon[name]?.plausible?.contains(value) == false, "\(name) \(value)")
    }
  }

  @Test func variablesAreFoundByEveryName() {
    for variable in Lexicon.variables {
      #expect(Lexicon.find(variable.name) == variable)
      for alias in variable.aliases { #expect(Lexicon.find(alias) == variable, "\(alias)") }
      if let name = variable.weatherBench { #expect(Lexicon.find(name) == variable, "\(name)") }
    }
    #expect(Lexicon.find("2t")?.name == "t2m" && Lexicon.find("10m_u_component_of_wind")?.name == "u10")
    #expect(Lexicon.find("total_precipitation_24hr")?.name == "tp24h" && Lexicon.find("prmsl")?.name == "msl")
    #expect(Lexicon.find(paramId: 167)?.name == "t2m" && Lexicon.find(paramId: 228_246)?.name == "u100")
    // ECMWF calls both the same.
    #expect(Lexicon.find("z")?.name == "z" && Lexicon.find(paramId: 129)?.name == "z")
    #expect(Lexicon.find("geopotential_at_surface")?.name == "zs" && Lexicon["zs"]?.ecmwf?.shortName == "z")
    #expect(Lexicon.find("furlongs") == nil && Lexicon.find(paramId: -1) == nil)
  }

  /// docs/variables.md is this table; `UPDATE_DOCS=1 swift test --filter LexiconTests` writes it.
  @Test func theDocumentationHasTheTable() throws {
    let path = "\(Self.root)/docs/variables.md"
    var text = """
      # Variables

      What is known by name: unit, CF standard name, ECMWF's short name (which Anemoi datasets use too) and paramId, the name in
      WeatherBench 2 and the Climate Data Store, names elsewhere (CMIP, NCEP), and between which values it can be: `jigsaw data check` calls
      others a problem. A store's variable is found by any of these names. Written by `UPDATE_DOCS=1 swift test --filter LexiconTests`.

      | ours | is | unit | can be | CF standard name | ECMWF | WeatherBench 2 | others |
      |---|---|---|---|---|---|---|---|

      """
    for v in Lexicon.variables {
      let ecmwf = v.ecmwf.map { "\($0.shortName) \($0.paramId)" } ?? ""
      let range = v.plausible.map { "\(significant($0.lowerBound)) … \(significant($0.upperBound))" } ?? ""
      let standard = ([v.standardName].compactMap { $0 } + v.otherStandardNames).joined(separator: ", ")
      text +=
        "| \(v.name) | \(v.longName) | \(v.units) | \(range) | \(standard) | \(ecmwf) | \(v.weatherBench ?? "") | \(v.others.joined(separator: ", ")) |\n"
    }
    if getenv("UPDATE_DOCS") != nil { try Files.writeAtomically(text, to: path) }
    #expect(try Files.readText(path) == text)
  }
}
