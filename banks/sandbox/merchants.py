"""Where the bank's customers spend: invented shops with ISO 18245 category codes and places. Pure data."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """A card acceptor. No `town`: an online shop, which has no place but a country."""

    name: str
    mcc: str  #: ISO 18245, four digits
    descriptor: str  #: how the acquirer spells it on statements, place and country added
    country: str = "GB"  #: ISO 3166-1 alpha-2
    town: str | None = None
    post_code: str | None = None
    address_line: str | None = None
    store_number: str | None = None

    @property
    def online(self) -> bool:
        return self.town is None


def _shop(name: str, mcc: str, town: str, post_code: str, address: str, store: str, country: str = "GB") -> Merchant:
    return Merchant(
        name=name,
        mcc=mcc,
        descriptor=f"{name.upper()} {store} {town.upper()} {country}",
        country=country,
        town=town,
        post_code=post_code,
        address_line=address,
        store_number=store,
    )


def _online(name: str, mcc: str, descriptor: str, country: str = "GB") -> Merchant:
    return Merchant(name=name, mcc=mcc, descriptor=f"{descriptor} {country}", country=country)


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """The shops one person goes to."""

    supermarket: Merchant
    convenience: Merchant
    coffee: Merchant
    bakery: Merchant
    transport: Merchant
    restaurants: tuple[Merchant, ...]
    occasional: tuple[tuple[Merchant, float, int, int], ...]  #: merchant, chance a day, lowest and highest in pence
    cash_machine: Merchant


LONDON = Town(
    supermarket=_shop("Greenway Market", "5411", "London", "E8 3RD", "212 Mare Street", "0412"),
    convenience=_shop("Greenway Market", "5411", "London", "EC2A 4NE", "31 Curtain Road", "0977"),
    coffee=_shop("Bean & Barrel Coffee", "5814", "London", "EC2A 3AY", "8 Rivington Street", "017"),
    bakery=_shop("Larkspur Bakery", "5462", "London", "E8 4QN", "74 Broadway Market", "002"),
    transport=_shop("City Metro Travel", "4111", "London", "SE1 8SW", "Palestra House", "001"),
    restaurants=(
        _shop("Saffron Garden", "5812", "London", "E2 7DG", "119 Bethnal Green Road", "001"),
        _shop("The Copper Kettle", "5813", "London", "N1 0QH", "45 Upper Street", "003"),
    ),
    occasional=(
        (_shop("Wellspring Pharmacy", "5912", "London", "E8 1HY", "301 Kingsland Road", "118"), 0.03, 420, 2650),
        (_shop("Harbour Clothing", "5651", "London", "W1C 1AP", "20 Oxford Street", "033"), 0.03, 1800, 8900),
        (_shop("Milestone Fuels", "5541", "London", "E9 5EN", "2 Wick Road", "204"), 0.05, 2600, 6400),
        (_shop("Hackney Dental Rooms", "8021", "London", "E8 2BT", "16 Dalston Lane", "001"), 0.006, 2680, 7300),
        (_shop("St Brannock's Parish", "8661", "London", "E8 1EA", "Church Crescent", "001"), 0.012, 500, 2000),
        (_shop("Longshot Betting", "7995", "London", "E8 3PN", "390 Mare Street", "561"), 0.012, 500, 2500),
        (_online("Pagecorner Books", "5942", "PAGECORNER.EXAMPLE"), 0.04, 799, 3200),
    ),
    cash_machine=_shop("First Sandbox Bank ATM", "6011", "London", "E8 3RD", "214 Mare Street", "A0031"),
)

LEEDS = Town(
    supermarket=_shop("Dalefoot Foods", "5411", "Leeds", "LS6 2UE", "61 Otley Road", "1203"),
    convenience=_shop("Dalefoot Foods", "5411", "Leeds", "LS1 5HD", "9 Boar Lane", "1217"),
    coffee=_shop("Bean & Barrel Coffee", "5814", "Leeds", "LS1 6LR", "22 Albion Street", "054"),
    bakery=_shop("Aire Street Bakers", "5462", "Leeds", "LS1 4HT", "3 Aire Street", "001"),
    transport=_shop("Northern Tramways", "4111", "Leeds", "LS1 4DY", "New Station Street", "001"),
    restaurants=(
        _shop("Kirkgate Noodle House", "5812", "Leeds", "LS2 7DJ", "12 Kirkgate", "001"),
        _shop("The Weaver's Rest", "5813", "Leeds", "LS1 6JB", "30 Great George Street", "001"),
    ),
    occasional=(
        (_shop("Wellspring Pharmacy", "5912", "Leeds", "LS1 5AT", "48 Briggate", "231"), 0.03, 380, 2100),
        (_shop("Fellwalk Outdoors", "5941", "Leeds", "LS1 6HX", "77 Briggate", "012"), 0.03, 1500, 9900),
        (_online("Stitchwork Software", "5734", "STITCHWORK.EXAMPLE"), 0.03, 900, 4900),
    ),
    cash_machine=_shop("First Sandbox Bank ATM", "6011", "Leeds", "LS1 5HD", "11 Boar Lane", "A0107"),
)

STREAMING = _online("Streamly", "4899", "STREAMLY.EXAMPLE")
MUSIC = _online("Tunewave", "5735", "TUNEWAVE.EXAMPLE")
FASHION = _online("Harbour Clothing", "5651", "HARBOURCLOTHING.EXAMPLE")
CLOUD = _online("Cloudpad", "5734", "CLOUDPAD INC", country="US")
ABROAD = (
    _shop("Pastelaria Alvorada", "5814", "Lisboa", "1100-053", "Rua Augusta 88", "001", country="PT"),
    _shop("Mercado do Tejo", "5411", "Lisboa", "1200-479", "Avenida 24 de Julho 50", "007", country="PT"),
    _shop("Hotel Miradouro", "7011", "Lisboa", "1250-096", "Rua da Rosa 12", "001", country="PT"),
)
TILL = _shop("Penny Arcade Stores", "5999", "Bristol", "BS1 4RN", "5 Corn Street", "880")

#: Shops that ask for money before they know what it comes to.
FUEL_PUMP = _shop("Milestone Fuels Pay at Pump", "5542", "London", "E9 5EN", "2 Wick Road", "204")
BISTRO = _shop("Lighterman Bistro", "5812", "London", "SE1 9DD", "40 Bankside", "002")
HOTEL = _shop("Quayside Rooms", "7011", "Bristol", "BS1 6XN", "1 Narrow Quay", "001")
BICYCLES = _shop("Spoke & Chain Hire", "7999", "London", "SE10 9HT", "5 Greenwich Church Street", "001")

KUWAIT = (
    _shop("Souk Al Bahar Spices", "5499", "Kuwait City", "13001", "Abdullah Al Salem Street 12", "003", country="KW"),
    _shop("Gulf Marina Hotel", "7011", "Salmiya", "22011", "Arabian Gulf Street 90", "001", country="KW"),
)
TOKYO = (
    _shop("Sakuraya Ramen", "5812", "Tokyo", "160-0022", "3-14-1 Shinjuku", "008", country="JP"),
    _shop("Hikari Camera", "5732", "Tokyo", "101-0021", "1-15-8 Sotokanda", "001", country="JP"),
)
NEW_YORK = (
    _shop("Corner Deli & Grill", "5814", "New York", "10013", "220 Canal Street", "114", country="US"),
    _shop("Hudson Books", "5942", "New York", "10011", "75 9th Avenue", "002", country="US"),
)
