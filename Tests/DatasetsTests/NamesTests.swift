import Basics
import Datasets
import TestSupport
import Testing

@Suite struct NamesTests {
  @Test func unitsConvert() {
    func convert(_ value: Double, _ from: String, _ to: String) -> Double? {
      UnitConversion(from: from, to: to).map { value * $0.factor + $0.offset }
    }
    #expect(convert(1_013.25, "hPa", "Pa") == 101_325)
    #expect(convert(1_000, "millibars", "Pa") == 100_000)
    #expect(convert(-273.15, "degC", "K") == 0 && convert(20, "°C", "K") == 293.15)
    #expect(convert(100, "gpm", "m2 s-2") == 980.665 && convert(100, "m", "m2 s-2") == 980.665)
    #expect(convert(5, "g/kg", "kg kg-1") == 0.005)
    #expect(convert(50, "%", "1") == 0.5 && convert(3, "mm", "m") == 0.003)
    for same in ["m**2 s**-2", "m^2 s^-2", "m2/s2", " m2  s-2 "] { #expect(convert(3, same, "m2 s-2") == 3, "\(same)") }
    for same in ["m s**-1", "m/s", "meter/second"] { #expect(convert(3, same, "m s-1") == 3) }
    #expect(convert(1, "(0 - 1)", "1") == 1 && convert(1, "", "1") == 1)
    for (from, to) in [("Pa", "K"), ("K", "Pa"), ("kg", "m"), ("m s-1", "m2 s-2"), ("furlong", "m")] {
      #expect(convert(1, from, to) == nil)
    }
  }

  @Test func theLexiconIsConsistent() {
    let names = Lexicon.variables.map(\.name)
    #expect(Set(names).count == names.count)
    let aliases = Lexicon.variables.flatMap(\.aliases)
    #expect(Set(aliases).count == aliases.count && Set(aliases).isDisjoint(with: names))
    for variable in Lexicon.variables { #expect(UnitConversion(from: variable.units, to: variable.units) != nil) }
    #expect(Lexicon["geopotential"] == nil && Lexicon["z"]?.aliases.contains("geopotential") == true)
    #expect(Lexicon.variable("aerosol").units == "1")
    #expect(Channel(variable: "u", levelHPa: 10).name == "u_10" && Channel(variable: "u10").name == "u10")
    #expect(Channel(variable: "z", levelHPa: 0.5).name == "z_0.5")
  }

  @Test func patternsStandForSortedPaths() throws {
    let folder = try TemporaryFolder()
    for name in ["b-2.nc", "b-1.nc", "b-10.nc", "a.nc", "c[1].nc"] {
      try Files.writeAtomically("", to: "\(folder.path)/\(name)")
    }
    func names(_ pattern: String) throws -> [String] {
      try expand("\(folder.path)/\(pattern)").map { String($0.split(separator: "/").last ?? "") }
    }
    #expect(try names("b-*.nc") == ["b-1.nc", "b-10.nc", "b-2.nc"])
    #expect(try names("b-?.nc") == ["b-1.nc", "b-2.nc"])
    #expect(try names("[ab]-2.nc") == ["b-2.nc"])
    #expect(try names("c[1].nc") == ["c[1].nc"], "a file of this very name")
    #expect(try names("none.nc") == ["none.nc"], "whether it is there is found out on opening")
    let error = #expect(throws: JigsawError.self) { try names("d*.nc") }
    #expect(error?.place == "\(folder.path)/d*.nc")
  }
}
