"""Short forms in the names of tables and columns, and business words that are asked for under another name."""

_ABBREVIATIONS = """
acc account; acct account; addr address; adj adjustment; alloc allocation; amt amount; appt appointment
attr attribute; avg average; bal balance; bldg building; cat category; cfg configuration; chg change/charge; cmt comment
cnt count; comm commission/communication; conf configuration; cont contact; contr contract; ctry country; curr currency
cust customer; del delivery; dept department; dep department; desc description; descr description; dest destination
diff difference; disc discount; dist district/distribution; div division; dlv delivery; dob date of birth; doc document
dt date; dtl detail; emp employee; eqp equipment; est estimate; evt event; exp expense/expiry; fcst forecast
freq frequency; fy fiscal year; gl general ledger; grp group; hdr header; hist history; img image; info information
ins insurance; inv invoice/inventory; itm item; jrnl journal; lang language; loc location; lvl level; maint maintenance
max maximum; mfr manufacturer; mgr manager; min minimum; mov movement; msg message; mth month; mv movement; nbr number
no number; num number; opp opportunity; ord order; org organization; paym payment; pct percent; perf performance
pmt payment; po purchase order; pos position; prc price; prd product/period; prev previous; prod product; proj project
promo promotion; pur purchase; pymt payment; qty quantity; rcpt receipt; rec record; ref reference; reg region
rel relation; rep representative; req request/requisition; res reservation; ret return; rev revenue/review; sal salary
sched schedule; seq sequence; shp shipment; shpmt shipment; src source; stk stock; stmt statement; subj subject
sup supplier; supp supplier; svc service; sys system; temp temporary; tkt ticket; tm time; tot total; trans transaction
trx transaction; ts timestamp; txn transaction; tp type; typ type; upd updated; usr user; val value
veh vehicle; vend vendor; vol volume
wh warehouse; whs warehouse; wo work order; xfer transfer; yr year
"""

_SYNONYMS = """
appointment booking; bonus reward; carrier courier; category group; complaint grievance; country nation
currency money; customer client buyer; delivery shipment; department team; discount rebate; employee staff worker
expense spending; invoice bill; inventory stock; manager boss supervisor; order purchase; payment paid
price cost; product article goods; promotion campaign; receipt proof; refund repayment; reservation booking
revenue income turnover; review rating opinion; salary pay wage; shipment delivery
staff employee; stock inventory; supplier vendor; ticket issue; transaction booking; vacation leave holiday; vehicle car
vendor supplier; warehouse depot storage
"""


def _entries(block: str) -> list[tuple[str, str]]:
    entries = [entry.partition(" ") for line in block.strip().split("\n") for entry in line.split("; ")]
    return [(short, rest) for short, _, rest in entries]


ABBREVIATIONS = {short: tuple(meanings.split("/")) for short, meanings in _entries(_ABBREVIATIONS)}
"""What a short form stands for, which may be one of several things."""

SYNONYMS = {word: tuple(others.split()) for word, others in _entries(_SYNONYMS)}
"""Words that people use for the same thing, in the singular."""
