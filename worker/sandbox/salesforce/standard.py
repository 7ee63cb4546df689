"""
The standard objects of a bare org as a compact table; facts from public describes.

A line is `Name; Label; type and its figures; flags`. Flags: req not nillable,
def defaulted on create, ro read-only, once not updateable, idl usable as upsert key,
noperm outside field permissions, nofilter, restricted, name the name field.
"""

from worker.sandbox.salesforce.schema import Field, ObjectType, OnDelete

GEOCODE = (
    "Address,NearAddress,Block,Street,ExtendedZip,Zip,Neighborhood,City,County,"
    "State,Unknown"
)
PICKLISTS: dict[str, str] = {
    "account_type": "Prospect,Customer - Direct,Customer - Channel,"
    "Channel Partner / Reseller,Installation Partner,Technology Partner,Other",
    "geocode": GEOCODE,
    "industry": "Agriculture,Apparel,Banking,Biotechnology,Chemicals,Communications,"
    "Construction,Consulting,Education,Electronics,Energy,Engineering,Entertainment,"
    "Environmental,Finance,Food & Beverage,Government,Healthcare,Hospitality,"
    "Insurance,Machinery,Manufacturing,Media,Not For Profit,Recreation,Retail,"
    "Shipping,Technology,Telecommunications,Transportation,Utilities,Other",
    "ownership": "Public,Private,Subsidiary,Other",
    "rating": "Hot,Warm,Cold",
    "source": "Web,Phone Inquiry,Partner Referral,Purchased List,Other",
    "salutation": "Mr.,Ms.,Mrs.,Dr.,Prof.",
    "case_type": "Mechanical,Electrical,Electronic,Structural,Other",
    "case_status": "*New,Working,Escalated,Closed",
    "case_reason": "Installation,Equipment Complexity,Performance,Breakdown,"
    "Equipment Design,Feedback,Other",
    "case_origin": "Phone,Email,Web",
    "priority": "High,*Medium,Low",
    "lead_status": "*Open - Not Contacted,Working - Contacted,"
    "Closed - Converted,Closed - Not Converted",
    "group_type": "Regular,Queue,Role,Organization",
}

SYSTEM_FIELDS = """
Id; {label} ID; id; ro def idl noperm req
IsDeleted; Deleted; boolean; ro def noperm req
CreatedDate; Created Date; datetime; ro def noperm req
CreatedById; Created By ID; reference User CreatedBy; ro def noperm req
LastModifiedDate; Last Modified Date; datetime; ro def noperm req
LastModifiedById; Last Modified By ID; reference User LastModifiedBy; ro def noperm req
SystemModstamp; System Modstamp; datetime; ro def noperm req
"""


def _address(kind: str) -> str:
    return f"""
{kind}Street; {kind} Street; textarea 255; in:{kind}Address
{kind}City; {kind} City; string 40; in:{kind}Address
{kind}State; {kind} State/Province; string 80; in:{kind}Address
{kind}PostalCode; {kind} Zip/Postal Code; string 20; in:{kind}Address
{kind}Country; {kind} Country; string 80; in:{kind}Address
{kind}Latitude; {kind} Latitude; double 18 15; in:{kind}Address
{kind}Longitude; {kind} Longitude; double 18 15; in:{kind}Address
{kind}GeocodeAccuracy; {kind} Geocode Accuracy; picklist 40 geocode; in:{kind}Address restricted
"""  # noqa: E501 - one field is one line of the table


# name, label, plural, prefix, flags; then the fields.
OBJECTS: tuple[tuple[str, str], ...] = (
    (
        "Organization,Organization,Organizations,00D,noinsert nodelete",
        """
Name; Name; string 80; req name noperm
InstanceName; Instance Name; string 5; ro
IsSandbox; Is Sandbox; boolean; ro
OrganizationType; Edition; string 40; ro
NamespacePrefix; Namespace Prefix; string 15; ro
TrialExpirationDate; Trial Expiration Date; datetime; ro
LanguageLocaleKey; Language; string 40;
TimeZoneSidKey; Time Zone; string 40;
""",
    ),
    (
        "Profile,Profile,Profiles,00e,nodelete",
        """
Name; Name; string 255; req name noperm
Description; Description; string 255;
UserType; User Type; string 40; ro
PermissionsApiEnabled; API Enabled; boolean; ro
PermissionsModifyAllData; Modify All Data; boolean; ro
PermissionsModifyMetadata; Modify Metadata; boolean; ro
PermissionsViewSetup; View Setup; boolean; ro
PermissionsCustomizeApplication; Customize Application; boolean; ro
""",
    ),
    (
        "User,User,Users,005,nodelete",
        """
Username; Username; string 80; req idl noperm
LastName; Last Name; string 80; req noperm in:Name
FirstName; First Name; string 40; noperm in:Name
Name; Full Name; string 121; ro req name noperm
Email; Email; email 128; req idl noperm
Alias; Alias; string 8; req noperm
IsActive; Active; boolean; def noperm
ProfileId; Profile ID; reference Profile Profile Users; req noperm
UserType; User Type; string 40; ro noperm
TimeZoneSidKey; Time Zone; string 40; noperm
LocaleSidKey; Locale; string 40; noperm
LanguageLocaleKey; Language; string 40; noperm
FederationIdentifier; SAML Federation ID; string 512; idl
CommunityNickname; Nickname; string 40; noperm
""",
    ),
    (
        "PermissionSet,Permission Set,Permission Sets,0PS,",
        """
Name; Permission Set Name; string 80; req name noperm
Label; Permission Set Label; string 80; req noperm
Description; Description; string 255; noperm
IsOwnedByProfile; Is Owned By Profile; boolean; ro def noperm
ProfileId; Profile ID; reference Profile Profile; ro noperm
IsCustom; Is Custom; boolean; ro def noperm
NamespacePrefix; Namespace Prefix; string 15; ro noperm
PermissionsApiEnabled; API Enabled; boolean; def noperm
PermissionsModifyAllData; Modify All Data; boolean; def noperm
PermissionsModifyMetadata; Modify Metadata; boolean; def noperm
PermissionsViewSetup; View Setup; boolean; def noperm
PermissionsCustomizeApplication; Customize Application; boolean; def noperm
""",
    ),
    (
        (
            "PermissionSetAssignment,Permission Set Assignment,"
            "Permission Set Assignments,0Pa,noupdate"
        ),
        """
AssigneeId; Assignee ID; reference User Assignee PermissionSetAssignments cascade; req noperm once
PermissionSetId; Permission Set ID; reference PermissionSet PermissionSet Assignments cascade; req noperm once
PermissionSetGroupId; Permission Set Group ID; string 18; ro noperm
IsActive; Is Active; boolean; ro def noperm
""",  # noqa: E501 - one field is one line of the table
    ),
    (
        "ObjectPermissions,Object Permissions,Object Permissions,110,",
        """
ParentId; Parent ID; reference PermissionSet Parent ObjectPerms cascade; req noperm once
SobjectType; Object; picklist 40; req noperm once
PermissionsCreate; Create Records; boolean; def noperm
PermissionsRead; Read Records; boolean; def noperm
PermissionsEdit; Edit Records; boolean; def noperm
PermissionsDelete; Delete Records; boolean; def noperm
PermissionsViewAllRecords; Read All Records; boolean; def noperm
PermissionsModifyAllRecords; Edit All Records; boolean; def noperm
PermissionsViewAllFields; View All Fields; boolean; def noperm
""",
    ),
    (
        "FieldPermissions,Field Permissions,Field Permissions,01k,",
        """
ParentId; Parent ID; reference PermissionSet Parent FieldPerms cascade; req noperm once
SobjectType; Object; picklist 40; req noperm once
Field; Field; picklist 255; req noperm once
PermissionsRead; Read Field; boolean; def noperm
PermissionsEdit; Edit Field; boolean; def noperm
""",
    ),
    (
        "Group,Group,Groups,00G,",
        """
Name; Name; string 40; req name noperm
DeveloperName; Developer Name; string 80; noperm
Type; Type; picklist 40 group_type; req noperm once restricted
Email; Email; email 255; noperm
""",
    ),
    (
        "RecordType,Record Type,Record Types,012,noinsert nodelete",
        """
Name; Name; string 80; req name noperm
DeveloperName; Record Type Name; string 80; req noperm
SobjectType; SObject Type Name; picklist 40; req noperm
IsActive; Active; boolean; def noperm
NamespacePrefix; Namespace Prefix; string 15; ro noperm
Description; Description; string 255; noperm
""",
    ),
    (
        "Account,Account,Accounts,001,merge",
        """
MasterRecordId; Master Record ID; reference Account MasterRecord; ro noperm
Name; Account Name; string 255; req name noperm
Type; Account Type; picklist 40 account_type;
RecordTypeId; Record Type ID; reference RecordType RecordType; noperm
ParentId; Parent Account ID; reference Account Parent ChildAccounts;
"""
        + _address("Billing")
        + _address("Shipping")
        + """
Phone; Account Phone; phone 40;
Fax; Account Fax; phone 40;
AccountNumber; Account Number; string 40;
Website; Website; url 255;
PhotoUrl; Photo URL; url 255; ro noperm
Sic; SIC Code; string 20;
Industry; Industry; picklist 40 industry;
AnnualRevenue; Annual Revenue; currency 18 0;
NumberOfEmployees; Employees; int 8;
Ownership; Ownership; picklist 40 ownership;
TickerSymbol; Ticker Symbol; string 20;
Description; Account Description; textarea 32000; nofilter
Rating; Account Rating; picklist 40 rating;
Site; Account Site; string 80;
OwnerId; Owner ID; reference User Owner; req def noperm
LastActivityDate; Last Activity; date; ro noperm
LastViewedDate; Last Viewed Date; datetime; ro noperm
LastReferencedDate; Last Referenced Date; datetime; ro noperm
AccountSource; Account Source; picklist 40 source;
SicDesc; SIC Description; string 80;
""",
    ),
    (
        "Contact,Contact,Contacts,003,merge",
        """
MasterRecordId; Master Record ID; reference Contact MasterRecord; ro noperm
AccountId; Account ID; reference Account Account Contacts cascade;
LastName; Last Name; string 80; req noperm in:Name
FirstName; First Name; string 40; noperm in:Name
Salutation; Salutation; picklist 40 salutation; noperm in:Name
Name; Full Name; string 121; ro req name noperm
"""
        + _address("Other")
        + _address("Mailing")
        + """
Phone; Business Phone; phone 40;
Fax; Business Fax; phone 40;
MobilePhone; Mobile Phone; phone 40;
HomePhone; Home Phone; phone 40;
OtherPhone; Other Phone; phone 40;
AssistantPhone; Asst. Phone; phone 40;
ReportsToId; Reports To ID; reference Contact ReportsTo;
Email; Email; email 80; idl
Title; Title; string 128;
Department; Department; string 80;
AssistantName; Assistant's Name; string 40;
LeadSource; Lead Source; picklist 255 source;
Birthdate; Birthdate; date;
Description; Contact Description; textarea 32000; nofilter
OwnerId; Owner ID; reference User Owner; req def noperm
LastActivityDate; Last Activity; date; ro noperm
LastCURequestDate; Last Stay-in-Touch Request Date; datetime; ro noperm
LastCUUpdateDate; Last Stay-in-Touch Save Date; datetime; ro noperm
LastViewedDate; Last Viewed Date; datetime; ro noperm
LastReferencedDate; Last Referenced Date; datetime; ro noperm
EmailBouncedReason; Email Bounced Reason; string 255; noperm
EmailBouncedDate; Email Bounced Date; datetime; noperm
IsEmailBounced; Is Email Bounced; boolean; ro def noperm
PhotoUrl; Photo URL; url 255; ro noperm
""",
    ),
    (
        "Lead,Lead,Leads,00Q,merge",
        """
MasterRecordId; Master Record ID; reference Lead MasterRecord; ro noperm
LastName; Last Name; string 80; req noperm in:Name
FirstName; First Name; string 40; noperm in:Name
Salutation; Salutation; picklist 40 salutation; noperm in:Name
Name; Full Name; string 121; ro req name noperm
Title; Title; string 128;
Company; Company; string 255; req noperm
Street; Street; textarea 255;
City; City; string 40;
State; State/Province; string 80;
PostalCode; Zip/Postal Code; string 20;
Country; Country; string 80;
Phone; Phone; phone 40;
MobilePhone; Mobile Phone; phone 40;
Email; Email; email 80; idl
Website; Website; url 255;
Description; Description; textarea 32000; nofilter
LeadSource; Lead Source; picklist 255 source;
Status; Status; picklist 255 lead_status; req def noperm
Industry; Industry; picklist 40 industry;
Rating; Rating; picklist 40 rating;
OwnerId; Owner ID; reference Group,User Owner; req def noperm
IsConverted; Converted; boolean; ro def noperm
ConvertedDate; Converted Date; date; ro noperm
ConvertedAccountId; Converted Account ID; reference Account ConvertedAccount; ro noperm
ConvertedContactId; Converted Contact ID; reference Contact ConvertedContact; ro noperm
""",
    ),
    (
        "Case,Case,Cases,500,",
        """
MasterRecordId; Master Record ID; reference Case MasterRecord; ro noperm
CaseNumber; Case Number; string 30; ro req def idl name noperm
ContactId; Contact ID; reference Contact Contact Cases restrict;
AccountId; Account ID; reference Account Account Cases restrict;
ParentId; Parent Case ID; reference Case Parent Cases;
RecordTypeId; Record Type ID; reference RecordType RecordType; noperm
SuppliedName; Name; string 80;
SuppliedEmail; Email Address; email 80;
SuppliedPhone; Phone; string 40;
SuppliedCompany; Company; string 80;
Type; Case Type; picklist 40 case_type;
Status; Status; picklist 40 case_status; def noperm restricted
Reason; Case Reason; picklist 40 case_reason;
Origin; Case Origin; picklist 40 case_origin;
Subject; Subject; string 255;
Priority; Priority; picklist 40 priority; def
Description; Description; textarea 32000; nofilter
IsClosed; Closed; boolean; ro req def noperm
ClosedDate; Closed Date; datetime; ro
IsEscalated; Escalated; boolean; def
OwnerId; Owner ID; reference Group,User Owner; req def noperm
ContactPhone; Contact Phone; phone 40; ro noperm
ContactMobile; Contact Mobile; phone 40; ro noperm
ContactEmail; Contact Email; email 80; ro noperm
ContactFax; Contact Fax; phone 40; ro noperm
Comments; Internal Comments; textarea 4000; noperm nofilter
LastViewedDate; Last Viewed Date; datetime; ro noperm
LastReferencedDate; Last Referenced Date; datetime; ro noperm
""",
    ),
    (
        "CaseStatus,Case Status Value,Case Status Value,01J,noinsert nodelete",
        """
MasterLabel; Master Label; string 255; ro name noperm
ApiName; API Name; string 255; ro noperm
SortOrder; Sort Order; int 9; ro noperm
IsDefault; Is Default; boolean; ro def noperm
IsClosed; Is Closed; boolean; ro def noperm
""",
    ),
    (
        "CaseComment,Case Comment,Case Comments,00a,",
        """
ParentId; Parent ID; reference Case Parent CaseComments cascade; req once noperm
IsPublished; Published; boolean; def noperm
CommentBody; Body; textarea 4000; noperm nofilter bytes
""",
    ),
)


def build_standard_types() -> list[ObjectType]:
    return [_build(head, body) for head, body in OBJECTS]


def system_fields(label: str) -> list[Field]:
    """The fields that every record has, whatever its type."""
    return [_field(line) for line in _lines(SYSTEM_FIELDS.format(label=label))]


def _build(head: str, body: str) -> ObjectType:
    name, label, plural, prefix, flags = head.split(",")
    words = flags.split()
    made = ObjectType(
        name,
        label,
        plural,
        prefix,
        createable="noinsert" not in words,
        updateable="noupdate" not in words,
        deletable="nodelete" not in words,
        mergeable="merge" in words,
    )
    for system in system_fields(label):
        made.add(system)
    for line in _lines(body):
        made.add(_field(line))
    return made


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _field(line: str) -> Field:
    name, label, kind, flags = (part.strip() for part in (line + ";").split(";")[:4])
    words = flags.split()
    type_name, *figures = kind.split()
    made = Field(name, label, type_name)
    _apply_figures(made, figures)
    _apply_flags(made, words)
    return made


def _apply_figures(made: Field, figures: list[str]) -> None:
    match made.type:
        case "id":
            made.length = 18
        case "boolean":
            made.default, made.nillable = False, False
            made.defaulted = True
        case "double" | "currency" | "percent":
            made.precision, made.scale = int(figures[0]), int(figures[1])
        case "int":
            made.digits = int(figures[0])
        case "reference":
            _apply_reference(made, figures)
        case "date" | "datetime":
            pass
        case _:
            made.length = int(figures[0])
            if len(figures) > 1:
                _apply_picklist(made, PICKLISTS[figures[1]])


def _apply_reference(made: Field, figures: list[str]) -> None:
    made.length = 18
    made.reference_to = tuple(figures[0].split(","))
    made.relationship_name = figures[1] if len(figures) > 1 else None
    made.child_relationship = figures[2] if len(figures) > 2 else None
    if "cascade" in figures:
        made.on_delete = OnDelete.CASCADE
    elif "restrict" in figures:
        made.on_delete = OnDelete.RESTRICT


def _apply_picklist(made: Field, values: str) -> None:
    names = values.split(",")
    made.picklist = tuple(name.lstrip("*") for name in names)
    made.default_pick = next((n[1:] for n in names if n.startswith("*")), None)
    made.default = made.default_pick


def _apply_flags(made: Field, words: list[str]) -> None:
    if "ro" in words:
        made.createable = made.updateable = False
    if "once" in words:
        made.updateable = False
    if "req" in words:
        made.nillable = False
    if "nofilter" in words:
        made.filterable = made.sortable = False
    made.defaulted = made.defaulted or "def" in words
    made.id_lookup = "idl" in words
    made.permissionable = "noperm" not in words
    made.restricted = "restricted" in words
    made.name_field = "name" in words
    made.length_in_bytes = "bytes" in words
    made.compound = next((w[3:] for w in words if w.startswith("in:")), None)
